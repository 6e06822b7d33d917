"""What build tools ask of cawait: where its headers and sources are.

    include_dir()       the headers: <cawait.h> and <cawait_testing.h>
    sources()           what an extension compiles beside its own sources
    cmake_dir()         the folder of cawaitConfig.cmake
    pkgconfig_dir()     the folder of cawait.pc

cawait.setuptools has an Extension that needs none of them, and cawait.pytest_plugin runs the tests that extension
modules carry. `python -m cawait` has the same for a shell, and makes projects.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["cmake_dir", "include_dir", "pkgconfig_dir", "sources"]

_FOLDER = Path(__file__).parent


def __getattr__(name: str) -> str:
    """`__version__`: looked up when it is asked for, since pytest imports this package whenever it is installed."""
    if name != "__version__":
        raise AttributeError(f"module 'cawait' has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cawait")
    except PackageNotFoundError:  # in the tree
        return "0"


def _installed(*names: str) -> str:
    path = _FOLDER.joinpath(*names)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: cawait is used from its source tree; install it with pip")
    return str(path)


def include_dir() -> str:
    """The folder of the headers."""
    return _installed("include")


def sources(*, testing: bool = False) -> list[str]:
    """The C files to compile; with `testing` the one of cawait_testing.h too. They are C, also beside C++."""
    names = ["cawait.c", "cawait_testing.c"] if testing else ["cawait.c"]
    return [_installed("sources", name) for name in names]


def cmake_dir() -> str:
    """The folder of cawaitConfig.cmake, for -Dcawait_DIR=; scikit-build-core finds it by itself."""
    return _installed("share", "cmake", "cawait")


def pkgconfig_dir() -> str:
    """The folder of cawait.pc, for PKG_CONFIG_PATH; pkgconf-pypi, of the package pkgconf, finds it by itself."""
    return _installed("share", "pkgconfig")
