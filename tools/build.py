"""Configure and compile build folders. `build.py release` builds what the demo and the benchmarks run."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import identity
from common import BIN, BUILD, JOBS, ROOT, Failure, Row, environment, junit_row, run, run_quietly

RELEASE = {
    "buildtype": "release",
    "b_lto": "true",  # as near as can be to the joined source of extensions, which is one translation unit
    "python": "enabled",
    "tests": "false",
    "bench": "true",
}
MODULE_FOLDERS = ("tests/python", "examples", "bench")  # the folders of extension modules in a build folder


def settings_of(folder: Path, options: Mapping[str, str], env: Mapping[str, str] | None = None) -> str:
    """All that decides what a build folder holds, besides the sources."""
    python = options.get("python_exe") or shutil.which("python3", path=environment()["PATH"])
    lines = [f"folder: {folder}", f"meson: {importlib.metadata.version('meson')}", *identity.of_build(env)]
    lines += [f"-D{name}={value}" for name, value in sorted(options.items())]
    if options.get("python") != "disabled" and python:
        lines.append(f"python: {identity.of_python(python)}")
    return "\n".join(lines) + "\n"


def meson_build(folder: Path, options: Mapping[str, str], env: Mapping[str, str] | None = None) -> Path:
    """Configure `folder` with these options, unless that was done with all that decides, and compile it."""
    settings = [f"-D{name}={value}" for name, value in sorted(options.items())]
    stamp = folder / "cawait-settings"
    wanted = settings_of(folder, options, env)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        run_quietly([BIN / "meson", "setup", folder, ROOT, *settings], env)
        stamp.write_text(wanted)
    output = run_quietly([BIN / "ninja", "-j", JOBS, "-C", folder], env)
    for line in output.splitlines():
        if "warning:" in line:
            print(line, flush=True)
    return folder


def run_c_tests(
    folder: Path, options: Sequence[str] = (), env: Mapping[str, str] | None = None, wrapper: Sequence[str] = ()
) -> Row:
    """Run the C tests of a build folder and count them."""
    report = folder / "meson-logs" / "testlog.junit.xml"
    report.unlink(missing_ok=True)
    command = [*wrapper, str(BIN / "meson"), "test", "-C", str(folder), "--no-rebuild", "--print-errorlogs", *options]
    return junit_row(report, run(command, env))


def joined_build(folder: Path, python: Path) -> Path:
    """Build the test extension from the joined source with plain setuptools; return the folder of the module. It is
    always built anew, so nothing that decides is forgotten."""
    run_quietly([BIN / "python", ROOT / "tools" / "amalgamate"])
    shutil.rmtree(folder, ignore_errors=True)
    output = [f"--build-lib={folder / 'lib'}", f"--build-temp={folder / 'temp'}"]
    run_quietly([str(python), "setup.py", "-q", "build_ext", *output], cwd=ROOT / "tests" / "joined")
    return folder / "lib"


def python_path(*folders: Path) -> str:
    """PYTHONPATH for the extension modules of these build folders."""
    return ":".join(str(folder / name) for folder in folders for name in MODULE_FOLDERS)


def main() -> None:
    """Build the release folder for the Python of build/venv."""
    if sys.argv[1:] != ["release"]:
        sys.exit("usage: build.py release")
    try:
        meson_build(BUILD / "release", {**RELEASE, "python_exe": str(BIN / "python")})
    except Failure as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
