"""The loops of other packages, beside the test environment of one CPython, and only there: they are 340 MB."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import identity
from common import BIN, ROOT, Failure, run_quietly
from interpreters import Interpreter

SERIES = "3.12"  # all of them have wheels for it
REQUIREMENTS = [ROOT / "tools" / f"requirements-{name}.txt" for name in ("loops", "gi")]
BACKEND = "meson-python==0.22.1"  # builds PyGObject; it uses the Meson of build/venv
WITHOUT_CAIRO = ["-Csetup-args=-Dpycairo=disabled", "-Csetup-args=-Dtests=false"]


def install_gi(pip: list[str], folder: Path) -> str:
    """Build PyGObject without its optional parts; return a note if that is not possible here."""
    backend = folder.with_name("loops-build")
    run_quietly([*pip, "install", "-q", "--target", backend, BACKEND])
    options = ["--no-deps", "--no-build-isolation", "--no-binary", ":all:", *WITHOUT_CAIRO, "--target", folder]
    try:
        run_quietly([*pip, "install", "-q", *options, "-r", str(REQUIREMENTS[1])], {"PYTHONPATH": str(backend)})
    except Failure:
        return "without gi.events: it is built with libgirepository1.0-dev and pkg-config"
    finally:
        shutil.rmtree(backend, ignore_errors=True)
    return ""


def wanted_stamp(interpreter: Interpreter) -> str:
    """All that decides what is in the folder: also whether this machine has what PyGObject is built with."""
    files = b"".join(map(Path.read_bytes, [*REQUIREMENTS, Path(__file__)]))
    found = identity.output_of(["pkg-config", "--modversion", "gobject-introspection-1.0"])
    where = f"{interpreter.folder} {interpreter.path} {identity.of_python(interpreter.path)} {found}"
    return hashlib.sha256(files + where.encode()).hexdigest()


def make_loops(interpreter: Interpreter) -> str:
    """Install them for the interpreter, if it is one of the series; return a note about what could not be installed."""
    if interpreter.series != SERIES:
        return ""
    folder = interpreter.folder / "loops"
    stamp = folder / "stamp"
    wanted = wanted_stamp(interpreter)
    if stamp.exists() and stamp.read_text().startswith(wanted):
        return stamp.read_text()[len(wanted) :]
    print(f"installing loops of other packages for {interpreter.name}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    pip = [str(BIN / "python"), "-m", "pip", "--python", str(interpreter.python), "--disable-pip-version-check"]
    try:
        wheels = ["--no-deps", "--only-binary", ":all:", "--target", folder]
        run_quietly([*pip, "install", "-q", *wheels, "-r", REQUIREMENTS[0]])
    except Failure as failure:
        return f"without the loops of other packages: {str(failure).splitlines()[-1]}"
    note = install_gi(pip, folder)
    stamp.write_text(wanted + note)
    return note
