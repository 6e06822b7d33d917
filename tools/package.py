"""Build the package and test it as its users have it: wheel, source distribution, templates.

    build/venv/bin/python tools/package.py [-- pytest's own]

It is built once, in a copy of the tree, into build/package/dist; tests/package/ installs it from there. The templates
are built for the oldest and for the newest release of CPython that is installed here.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import identity
from common import BUILD, JOBS, OFFLINE, RESULTS, ROOT, Failure, Row, junit_row, run, run_quietly, step, summary
from interpreters import PYTHONS, discover

FOLDER = BUILD / "package"
DIST = FOLDER / "dist"
VENV = FOLDER / "venv"
REQUIREMENTS = ROOT / "tools" / "requirements-package.txt"
UV = [VENV / "bin" / "uv", "--no-config"]
GIT = ["git", "-c", "user.name=cawait", "-c", "user.email=cawait@example.org", "-c", "commit.gpgsign=false"]


def make_environment() -> None:
    """The environment of the tests, once for these requirements and this interpreter."""
    stamp = VENV / "stamp"
    wanted = f"{VENV}\n{identity.of_python(sys.executable)}\n{REQUIREMENTS.read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    run_quietly([sys.executable, "-m", "venv", VENV])
    try:
        run_quietly([VENV / "bin" / "python", "-m", "pip", "install", "-q", "-r", REQUIREMENTS])
    except Failure as failure:
        raise Failure(f"{failure}\n{OFFLINE}") from None
    stamp.write_text(wanted)


def copy_tree() -> Path:
    """A repository of the files as they are now, less what .gitignore names: Meson makes source distributions of what
    Git has."""
    copy = FOLDER / "tree"
    shutil.rmtree(copy, ignore_errors=True)
    made = {BUILD, ROOT / "build", ROOT / ".git"}

    def left_out(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder, name) in made]

    shutil.copytree(ROOT, copy, ignore=left_out)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "The tree"]):
        run_quietly([*GIT, *command], cwd=copy)
    return copy


def build() -> Row:
    """The source distribution, and the wheel from it."""
    make_environment()
    shutil.rmtree(DIST, ignore_errors=True)
    run_quietly([*UV, "build", "-q", "--python", sys.executable, "--out-dir", DIST, copy_tree()])
    run_quietly([*UV, "cache", "clean", "-q", "cawait"])  # the version is the same, the content is not
    wheel = next(DIST.glob("*.whl"))
    run_quietly([*UV, "pip", "install", "-q", "--reinstall", "--python", VENV / "bin" / "python", wheel])
    built = sorted(DIST.glob("cawait-*"))
    for path in built:
        print(f"{path.stat().st_size:>9,}  {path.name}")
    return Row("", passed=len(built))


def interpreters() -> list[Path]:
    """The oldest and the newest release that is installed: not those that were unpacked into the build folder."""
    found = [one for one in discover() if not one.problem and not one.is_debug and one.name[-1].isdigit()]
    found = [one for one in found if PYTHONS.parent not in one.path.parents] or found
    return [one.path for one in found[:1] + found[1:][-1:]]


def tests(pytest_args: list[str]) -> Row:
    """tests/package, with what was built."""
    report = RESULTS / "pytest-package.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    options = ["-q", "-p", "no:cacheprovider", "--timeout", "900", "-n", JOBS, f"--junitxml={report}", *pytest_args]
    env = {
        "CAWAIT_DIST": str(DIST),
        "CAWAIT_PYTHONS": os.pathsep.join(map(str, interpreters())),
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    folder = "tests/package"
    command = [VENV / "bin" / "python", "-m", "pytest", *options, "-c", f"{folder}/pytest.ini", folder]
    return junit_row(report, run(command, env))


def main() -> int:
    """Build, test, and print the table."""
    words = sys.argv[1:]
    os.environ.setdefault("UV_SYSTEM_CERTS", "1")  # as pip, which may be set up for certificates of this machine
    rows = [step("package", build)]
    if not rows[0].failed:
        rows.append(step("package tests", lambda: tests(words[1:] if words[:1] == ["--"] else words)))
    return summary("package", rows)


if __name__ == "__main__":
    sys.exit(main())
