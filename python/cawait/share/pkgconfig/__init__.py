"""A folder of pkg-config: cawait.pc."""
