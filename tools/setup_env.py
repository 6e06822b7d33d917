"""Install what building and testing need: system packages, and build/venv with pinned Python packages.

It runs with any Python >= 3.10 and needs nothing else. What exists already is not made again; a second run only
compares a stamp. All of it goes to the folder build, or to that of `make BUILD=/elsewhere`. System packages are
installed with apt-get when this runs as root; otherwise the one command to run is printed and the exit code is 2.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from common import BUILD, BUILD_MARK, OFFLINE, ROOT, VENV

REQUIREMENTS = ROOT / "tools" / "requirements.txt"
UVLOOP = ROOT / "tools" / "requirements-uvloop.txt"
NEEDS_THE_USER = 2


def stop(text: str) -> None:
    """End with the exit code for: something has to be done by hand."""
    print(text, file=sys.stderr)
    sys.exit(NEEDS_THE_USER)


def compiler() -> str | None:
    """The C compiler that Meson would use."""
    words = os.environ.get("CC", "").split()
    return next(filter(None, map(shutil.which, [*words[-1:], "cc", "gcc", "clang"])), None)


def compiles(cc: str | None, include: str) -> bool:
    """Whether a C file with this include compiles."""
    if cc is None:
        return False
    command, source = [cc, "-E", "-x", "c", "-", "-o", os.devnull], f"#include <{include}>\n"
    return subprocess.run(command, input=source, text=True, stderr=subprocess.DEVNULL).returncode == 0


def missing() -> dict[str, str]:
    """What is missing: the name of Debian's package -> its purpose."""
    python = f"python3.{sys.version_info.minor}"
    cc = compiler()
    found: dict[str, str] = {}
    if cc is None:
        found["gcc"] = "a C compiler"
    if not compiles(cc, "stdlib.h"):
        found["libc6-dev"] = "the C library's headers"
    if not compiles(cc, "openssl/evp.h"):
        found["libssl-dev"] = "OpenSSL's headers, for the tour"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        found[f"{python}-dev"] = f"the headers of {sys.executable}"
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        found[f"{python}-venv"] = f"virtual environments for {sys.executable}"
    return found


def apt_has_lists() -> bool:
    """Whether apt-get has lists of packages."""
    lists = Path("/var/lib/apt/lists")
    return lists.is_dir() and any("_Packages" in entry.name for entry in lists.iterdir())


def install_system_packages(wanted: dict[str, str]) -> None:
    """Install Debian packages, or print how to do it and stop."""
    for package, purpose in wanted.items():
        print(f"missing: {purpose} (Debian: {package})")
    if shutil.which("apt-get") is None:
        stop("This is not Debian: install the above with this system's package manager, then run make again.")
    if not Path(sys.executable).resolve().is_relative_to("/usr/bin") and any("python3" in name for name in wanted):
        stop(f"{sys.executable} is not Debian's and is incomplete: choose another one with `make PYTHON=python3.X`.")
    install = f"apt-get install -y --no-install-recommends {' '.join(wanted)}"
    command = install if apt_has_lists() else f"apt-get update && {install}"
    if os.geteuid() != 0:
        stop(f"Run this as root, then run make again:\n\n    {command}\n")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"installing: {command}", flush=True)
    if subprocess.run(["sh", "-c", command], env=env).returncode != 0:  # the lists may be old
        if subprocess.run(["sh", "-c", f"apt-get update && {install}"], env=env).returncode != 0:
            stop(f"apt-get could not install {' '.join(wanted)}.\n{OFFLINE}")


def take_build_folder() -> None:
    """Make the build folder, with its mark. A folder in which there is something else is not taken."""
    mark = BUILD / BUILD_MARK
    try:
        if BUILD != ROOT / "build" and not mark.exists() and BUILD.exists() and any(BUILD.iterdir()):
            stop(f"{BUILD} is not empty, and no build folder of cawait: choose another one, `make BUILD=/elsewhere`.")
        BUILD.mkdir(parents=True, exist_ok=True)
        if not mark.exists():
            mark.write_text("Made by cawait's Makefile, and removed by its `make clean`.\n")
    except OSError as error:
        stop(f"cannot write to {BUILD} ({error.strerror}): choose another folder, `make BUILD=/elsewhere`.")


def make_venv() -> None:
    """Make build/venv anew."""
    made_by = f"{sys.executable} (Python {sys.version.split()[0]})"
    print(f"making {VENV} with {made_by}; this takes packages of PyPI, once", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "--no-input"]
    subprocess.run([*pip, "install", "-r", str(REQUIREMENTS)], check=True)
    if subprocess.run([*pip, "install", "--only-binary", ":all:", "-r", str(UVLOOP)]).returncode != 0:
        print("going on without uvloop: there is no wheel for this interpreter")


def wanted_stamp() -> str:
    """The mark of a finished set-up, which holds for these requirements, this interpreter and this script."""
    files = b"".join(path.read_bytes() for path in (REQUIREMENTS, UVLOOP, Path(__file__)))
    interpreter = f"{os.path.realpath(sys.executable)} {sys.version} {sys.base_prefix} {VENV}"
    return hashlib.sha256(files + interpreter.encode()).hexdigest()


def main() -> None:
    """Set up, unless that was done."""
    if sys.version_info < (3, 10):
        stop(
            f"{sys.executable} is Python {sys.version.split()[0]}, too old: use 3.10 or later, `make PYTHON=python3.X`."
        )
    take_build_folder()
    stamp = VENV / "stamp"
    if stamp.exists() and stamp.read_text() == wanted_stamp():
        return
    wanted = missing()
    if wanted:
        install_system_packages(wanted)
        importlib.invalidate_caches()
        left = missing()
        if left:
            stop(f"still missing after the installation: {', '.join(left.values())}")
    try:
        make_venv()
    except subprocess.CalledProcessError as error:
        sys.exit(f"set-up failed: {error}\n{OFFLINE}")
    stamp.write_text(wanted_stamp())


if __name__ == "__main__":
    main()
