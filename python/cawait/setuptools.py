"""An Extension for setuptools that brings cawait.

    # setup.py; pyproject.toml has requires = ["setuptools", "cawait"]
    from cawait.setuptools import Extension
    from setuptools import setup

    setup(ext_modules=[Extension("fast", ["fast.c"])])

cawait.c is compiled from the installed package, as C and with flags of its own, whatever the other sources are; so a
source distribution need not have it, and flags for C++ do not reach it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import setuptools
from setuptools.command.build_ext import build_ext
from setuptools.errors import PlatformError

import cawait
from cawait._needs import missing

__all__ = ["Extension"]

COMPILE_ARGS = ["-std=c11", "-pthread", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"]
# What the extension does not use is left out.
LINK_ARGS = ["-pthread", "-Wl,--gc-sections"] if sys.platform == "linux" else ["-pthread"]


def with_all(had: list[str], wanted: list[str]) -> list[str]:
    """A new list that has all of them, once."""
    return [*had, *(one for one in wanted if one not in had)]


class Extension(setuptools.Extension):
    """As setuptools', with cawait in it."""

    def __init__(self, name: str, sources: list[str], *args: Any, **kw: Any) -> None:
        """The arguments are those of setuptools.Extension."""
        super().__init__(name, sources, *args, **kw)
        if self.py_limited_api:
            raise ValueError(f"{name}: cawait cannot be used with py_limited_api, since it needs all of CPython's API")
        # Cython makes it again, out of what it is then; and the lists may be those of other extensions too
        self.include_dirs = with_all(self.include_dirs, [cawait.include_dir()])
        self.extra_link_args = with_all(self.extra_link_args, LINK_ARGS)


class _BuildExt(build_ext):
    """Compiles cawait.c once, and links each Extension with it."""

    def run(self) -> None:
        ours = [one.name for one in self.extensions or () if isinstance(one, Extension)]
        if ours and (needs := missing()):
            raise PlatformError(f"{', '.join(ours)} cannot be built: {'; '.join(needs)}")
        super().run()

    def build_extension(self, ext: setuptools.Extension) -> None:
        if isinstance(ext, Extension):
            self._add_cawait(ext)
        super().build_extension(ext)

    def _add_cawait(self, ext: Extension) -> None:
        folder = Path(self.build_temp, "cawait")
        folder.mkdir(parents=True, exist_ok=True)
        (source,) = cawait.sources()
        copy = shutil.copy(source, folder)  # here: the compiler makes a folder for each part of a source's path
        objects = self.compiler.compile(
            [copy], include_dirs=[cawait.include_dir(), *self.compiler.include_dirs], extra_postargs=COMPILE_ARGS
        )
        ext.extra_objects = with_all(ext.extra_objects, objects)  # this may be called more than once


def finalize_distribution_options(dist: setuptools.Distribution) -> None:
    """Called by setuptools for each project: where there is an Extension of ours, build_ext compiles cawait too."""
    if not any(isinstance(one, Extension) for one in dist.ext_modules or ()):
        return
    if sys.platform == "win32":
        raise RuntimeError("cawait does not run on Windows yet")
    theirs = dist.get_command_class("build_ext")
    if not issubclass(theirs, _BuildExt):
        dist.cmdclass["build_ext"] = type("build_ext", (_BuildExt, theirs), {})
