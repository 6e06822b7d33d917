"""What decides what is built, as text. A stamp beside what was made holds it: with another text it is made anew.

That is: the interpreter, the compilers, the variables that these and Meson read, and where all of it lies.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILERS = {"CC": "cc", "CXX": "c++"}  # a variable -> what Meson takes first without it
VARIABLES = (
    *COMPILERS,
    *("CPPFLAGS", "CFLAGS", "CXXFLAGS", "LDFLAGS"),
    *("AR", "NM", "RANLIB", "STRIP", "CC_LD", "CXX_LD", "LD"),
    *("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "GCC_EXEC_PREFIX", "COMPILER_PATH"),
    *("PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR", "CMAKE_PREFIX_PATH"),
)
PYTHON = """
import hashlib, os, sys, sysconfig
program = os.path.realpath(sys.executable)
said = hashlib.sha256(repr(sorted(sysconfig.get_config_vars().items(), key=str)).encode()).hexdigest()
print(program, os.stat(program).st_mtime_ns, sys.version, sys.base_prefix, sysconfig.get_path("include"), said)
"""


def output_of(command: list[str]) -> str:
    """What a command prints, or that it cannot run."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot run: {error}"
    return " ".join(done.stdout.split())


@functools.cache
def of_python(python: str | Path) -> str:
    """An interpreter: which program it is behind links and environments, and which build of it."""
    return output_of([str(python), "-I", "-c", PYTHON])


@functools.cache
def of_compiler(command: str) -> str:
    """A compiler, such as "ccache gcc-12 -m32": which program it is, and its version."""
    words = shlex.split(command)
    found = [os.path.realpath(path) for path in map(shutil.which, words) if path]
    return f"{command}: {' '.join(found)}: {output_of([*words, '--version'])}"


def of_build(changes: Mapping[str, str] | None = None) -> list[str]:
    """The compilers and the variables, with these changes of the environment."""
    env = {**os.environ, **(changes or {})}
    lines = [f"{name}={env[name]}" for name in VARIABLES if env.get(name)]
    lines += [f"{name}: {of_compiler(env.get(name) or usual)}" for name, usual in COMPILERS.items()]
    return [f"source: {ROOT}", *lines]
