"""What build tools look for: cmake and pkgconfig."""
