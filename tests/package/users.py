"""Environments of users, with the package from the built wheel and source distribution.

tools/package.py builds both and names them here: CAWAIT_DIST is their folder, CAWAIT_PYTHONS the interpreters.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

DIST = Path(os.environ["CAWAIT_DIST"])
PYTHONS = os.environ["CAWAIT_PYTHONS"].split(os.pathsep)
MAKES_FILES = {"PYTHONDONTWRITEBYTECODE": "1", "UV_LINK_MODE": "copy", "UV_NO_PROGRESS": "1"}
# What makes builds come out otherwise than those of a user.
TAKEN_OUT = (
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "CFLAGS",
    "LDFLAGS",
    "CC",
    "CXX",
    "PKG_CONFIG",
    "PKG_CONFIG_PATH",
)


def run(command: Sequence[str | Path], cwd: Path | None = None, **changes: str) -> str:
    """Run it in a user's environment with these changes; it succeeds. Returns what it printed."""
    done = attempt(command, cwd, **changes)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def attempt(command: Sequence[str | Path], cwd: Path | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    """The same for what may fail."""
    env = {name: value for name, value in os.environ.items() if name not in TAKEN_OUT and "PYTEST" not in name}
    env |= {"PIP_FIND_LINKS": str(DIST), "UV_FIND_LINKS": str(DIST), **MAKES_FILES, **changes}
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600)


def uv(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run uv, which does what pip and venv do, in less time."""
    program = shutil.which("uv")
    assert program
    return run([program, "--no-config", *arguments], cwd)


class Environment:
    """A virtual environment of one interpreter."""

    def __init__(self, folder: Path, python: str) -> None:
        self.python = folder / "bin" / "python"
        uv("venv", "-q", "--python", python, folder)

    def install(self, *what: str | Path) -> None:
        """Install packages."""
        uv("pip", "install", "-q", "--python", self.python, *what)

    def __call__(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Run Python with these arguments."""
        return run([self.python, *arguments], cwd)
