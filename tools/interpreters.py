"""Find the CPythons of this machine, and make a test environment for each."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import identity
from common import BIN, BUILD, JOBS, OFFLINE, ROOT, Failure, environment, run_quietly

OLDEST = (3, 10)
PYTHONS = BUILD / "pythons" / "bin"  # of tools/pythons.py
REQUIREMENTS = {
    name: ROOT / "tools" / f"requirements-{name}.txt"
    for name in ("test", "hypothesis", "hypothesis-pure", "anyio-4.13", "uvloop")
}
PROBE = """
import json, os, platform, sys, sysconfig
print(json.dumps({
    "path": os.path.realpath(sys.executable),
    "cpython": platform.python_implementation() == "CPython",
    "version": list(sys.version_info[:3]),
    "level": "" if sys.version_info[3] == "final" else f"{sys.version_info[3][0]}{sys.version_info[4]}",
    "flags": ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "")
             + ("d" if sysconfig.get_config_var("Py_DEBUG") else ""),
    "headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
}))
"""


@dataclass
class Interpreter:
    """A CPython that can build extension modules, or why it cannot."""

    path: Path
    version: tuple[int, int, int]
    name: str  # "3.13.0", "3.13.0t" (free-threaded), "3.13.0d" (debug)
    problem: str = ""

    @property
    def series(self) -> str:
        """The name that all builds of the same Python share: "3.13", "3.13t"."""
        return f"{self.version[0]}.{self.version[1]}{self.name.lstrip('0123456789.')}"

    @property
    def is_debug(self) -> bool:
        """Whether it is built with Py_DEBUG."""
        return self.name.endswith("d")

    @property
    def folder(self) -> Path:
        """The folder for everything that is made for it."""
        return BUILD / "py" / self.name

    @property
    def python(self) -> Path:
        """The Python of its test environment."""
        return self.folder / "venv" / "bin" / "python"


def candidates() -> list[str]:
    """Commands that may be a Python 3: this one, those on PATH, those of `make pythons`, those of pyenv."""
    found = [str(BIN / "python"), sys.executable]
    for folder in [*os.environ.get("PATH", os.defpath).split(os.pathsep), str(PYTHONS)]:
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        found += [os.path.join(folder, name) for name in names if re.fullmatch(r"python3(\.\d+t?d?)?", name)]
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], stdout=subprocess.PIPE, text=True).stdout.strip()
        found += sorted(str(path) for path in Path(root, "versions").glob("*/bin/python3"))
    return found


def probe(command: str) -> Interpreter | None:
    """Run one candidate to find out what it is; None if it is no CPython 3."""
    try:
        done = subprocess.run(
            [command, "-c", PROBE], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30
        )
        facts = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    version = tuple(facts["version"])
    if not facts["cpython"] or version[:2] < OLDEST:
        return None
    name = ".".join(map(str, version)) + facts["level"] + facts["flags"]
    return Interpreter(Path(facts["path"]), version, name, "" if facts["headers"] else "has no headers (Python.h)")


def discover() -> list[Interpreter]:
    """Every CPython >= 3.10 here, oldest first, one for each version and kind."""
    found: dict[str, Interpreter] = {}
    for command in dict.fromkeys(candidates()):
        interpreter = probe(command)
        if interpreter and (interpreter.name not in found or found[interpreter.name].problem):
            found[interpreter.name] = interpreter
    return sorted(found.values(), key=lambda interpreter: (interpreter.version, interpreter.name))


def choose(found: list[Interpreter], patterns: Sequence[str]) -> list[Interpreter]:
    """The interpreters that the patterns name, in their order here; without a pattern all.

    A pattern is a whole name if there is one: 3.14.10 is not 3.14.10d. Else it is a series: 3.14 is neither 3.14.10d
    nor 3.14.10t. Else it is the first numbers of a version: 3. The word venv is the interpreter of build/venv.
    """

    def named(pattern: str) -> list[Interpreter]:
        if pattern == "venv":
            return [one for one in found if one.path == Path(sys.executable).resolve()]
        numbers = f"{pattern.rstrip('.')}."
        return (
            [one for one in found if one.name == pattern]
            or [one for one in found if one.series == pattern]
            or [one for one in found if f"{'.'.join(map(str, one.version))}.".startswith(numbers)]
        )

    chosen = {one.name for pattern in patterns for one in named(pattern)}
    return [one for one in found if one.name in chosen] if patterns else found


def requirements_stamp(interpreter: Interpreter) -> str:
    """All that decides what is in the interpreter's test environment."""
    files = b"".join(path.read_bytes() for path in REQUIREMENTS.values())
    where = f"{interpreter.folder} {interpreter.path} {identity.of_python(interpreter.path)}"
    return hashlib.sha256(files + where.encode()).hexdigest()


def make_environment(interpreter: Interpreter) -> str:
    """Make the interpreter's test environment; return a note about what could not be installed."""
    wanted = requirements_stamp(interpreter)
    stamp = interpreter.folder / "venv" / "stamp"
    if stamp.exists() and stamp.read_text().startswith(wanted):
        return stamp.read_text()[len(wanted) :]
    print(f"making a test environment for {interpreter.name}", flush=True)
    shutil.rmtree(interpreter.folder, ignore_errors=True)
    # pip is that of build/venv, so the interpreter needs no ensurepip of its own
    run_quietly([interpreter.path, "-m", "venv", "--without-pip", interpreter.folder / "venv"])
    pip = [str(BIN / "python"), "-m", "pip", "--python", str(interpreter.python), "--disable-pip-version-check"]
    # on 3.13t nothing but the last Hypothesis without a native part can be installed
    hypothesis = REQUIREMENTS["hypothesis-pure" if interpreter.series == "3.13t" else "hypothesis"]
    try:
        run_quietly([*pip, "install", "-q", "-r", REQUIREMENTS["test"], "-r", hypothesis])
    except Failure as failure:
        raise Failure(f"{failure}\n{OFFLINE}") from None
    # beside the packages that everything uses: it is found only where this folder is first on the path
    beside = interpreter.folder / "venv" / "anyio-4.13"
    run_quietly([*pip, "install", "-q", "--no-deps", "--target", beside, "-r", REQUIREMENTS["anyio-4.13"]])
    note = ""
    try:
        run_quietly([*pip, "install", "-q", "--only-binary", ":all:", "-r", REQUIREMENTS["uvloop"]])
    except Failure:
        note = "without uvloop: no wheel for it"
    stamp.write_text(wanted + note)
    return note


def make_environments(interpreters: list[Interpreter]) -> None:
    """Make the missing environments, several at a time. If one fails, the run that needs it tries again and reports
    it."""
    with ThreadPoolExecutor(int(JOBS)) as pool:
        for made in [pool.submit(make_environment, one) for one in interpreters]:
            made.exception()
