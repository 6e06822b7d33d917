"""python -m cawait new: each project is built, tested, packed, and installed from what was packed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from users import PYTHONS, Environment, attempt, run, uv

NO_COMPILER = "there is no C compiler: install one (Debian: apt-get install gcc libc6-dev)"
BUILDS = ["setuptools", "meson", "cmake", "cython"]
TESTED = re.compile(r"(\d+) passed in")
GIT = ["git", "-c", "user.name=author", "-c", "user.email=author@example.org"]


def new(environment: Environment, name: str, build: str, folder: Path) -> Path:
    """A project in a folder with a space in its name."""
    folder.mkdir(exist_ok=True)
    environment("-m", "cawait", "new", name, "--build", build, cwd=folder)
    return folder / name


def check(environment: Environment, project: Path) -> None:
    """Its own tests pass, outside of its tree."""
    said = environment("-m", "pytest", "-q", "-p", "no:cacheprovider", project / "tests", cwd=project.parent)
    tests = TESTED.search(said)
    assert tests and int(tests[1]) >= 16, said
    what = "import NAME, inspect; print(inspect.iscoroutinefunction(NAME.checksum), NAME.settled.__name__)"
    assert environment("-X", "dev", "-c", what.replace("NAME", project.name)) == "True settled\n"


@pytest.mark.parametrize("build", BUILDS)
def test_project_is_built_tested_and_installed_from_wheel_and_sdist(
    tmp_path: Path, wheel: Path, python: str, build: str
) -> None:
    environment = Environment(tmp_path / "venv", python)
    environment.install(wheel)
    project = new(environment, f"fast_{build}", build, tmp_path / "a folder")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First version"]):
        subprocess.run([*GIT, *command], cwd=project, check=True)

    uv("build", "-q", "--wheel", "--python", python, "--out-dir", tmp_path / "dist", cwd=project)
    (built,) = (tmp_path / "dist").glob("*.whl")
    environment.install(f"{built}[test]")
    check(environment, project)
    assert 'is consistent with the following platform tag: "manylinux' in " ".join(
        run(["auditwheel", "show", built]).split()
    )

    uv("build", "-q", "--sdist", "--python", python, "--out-dir", tmp_path / "dist", cwd=project)
    (packed,) = (tmp_path / "dist").glob("*.tar.gz")
    uv("pip", "uninstall", "-q", "--python", environment.python, project.name)
    environment.install(packed)
    check(environment, project)


def test_project_is_installed_by_the_commands_that_are_printed(tmp_path: Path, wheel: Path, python: str) -> None:
    run([python, "-m", "venv", tmp_path / "venv"])
    pip = [tmp_path / "venv" / "bin" / "python", "-m", "pip", "-q", "install"]
    run([*pip, wheel])
    run([tmp_path / "venv" / "bin" / "python", "-m", "cawait", "new", "mine"], tmp_path)
    run([*pip, ".[test]"], tmp_path / "mine")
    assert TESTED.search(run([tmp_path / "venv" / "bin" / "python", "-m", "pytest"], tmp_path / "mine"))


@pytest.mark.parametrize("build", BUILDS)
def test_project_has_types_tests_and_a_workflow(tmp_path: Path, installed: Environment, build: str) -> None:
    project = new(installed, "mine", build, tmp_path)
    names = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert {".gitignore", ".github/workflows/wheels.yml", "README.md", "pyproject.toml"} < names
    assert {"src/mine/__init__.py", "src/mine/_native.pyi", "src/mine/py.typed", "tests/test_mine.py"} < names
    for path in names:
        text = (project / path).read_text()
        assert not re.search(r"\b(NAME|SOURCE_FILE|CAWAIT_SERIES|CAWAIT_NEXT|BEFORE_BUILD|PROJECT_TABLES)\b", text), (
            path
        )


# --- what is refused ---


def refused(installed: Environment, folder: Path, *arguments: str) -> str:
    """What it says instead; nothing is made."""
    before = sorted(folder.rglob("*"))
    done = attempt([installed.python, "-m", "cawait", "new", *arguments], folder)
    assert (done.returncode, done.stdout, sorted(folder.rglob("*"))) == (1, "", before)
    return done.stderr


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_exists_is_not_overwritten(tmp_path: Path, installed: Environment, kind: str) -> None:
    there = tmp_path / "mine"
    {"folder": there.mkdir, "file": there.touch, "link": lambda: there.symlink_to("nowhere")}[kind]()
    said = refused(installed, tmp_path, "mine")
    assert said == "cawait: mine exists already: nothing was changed; take another name or folder\n"


@pytest.mark.parametrize("name", ["", "Fast", "a-b", "a b", "1a", "../a", "class", "json", "cawait", "a.b", "ä"])
def test_name_that_cannot_be_a_package_is_refused(tmp_path: Path, installed: Environment, name: str) -> None:
    said = refused(installed, tmp_path, name)
    assert said.startswith(f"cawait: {name!r} ") and said.count("\n") == 1


def test_folder_that_is_not_there_or_cannot_be_written_is_named(tmp_path: Path, installed: Environment) -> None:
    said = refused(installed, tmp_path, "mine", "--in", "nowhere")
    assert said == f"cawait: cannot write to {tmp_path / 'nowhere'}: No such file or directory\n"
    assert (
        refused(installed, tmp_path, "mine", "--in", "/proc")
        == "cawait: cannot write to /proc: No such file or directory\n"
    )


def test_machine_without_a_compiler_is_told_what_to_install(tmp_path: Path, installed: Environment) -> None:
    command = [installed.python, "-m", "cawait", "new", "mine"]
    done = attempt(command, tmp_path, PATH=str(tmp_path), CC="no-such-compiler")
    assert done.returncode == 0
    assert f"cawait: {NO_COMPILER}\n" in done.stderr


def test_build_without_a_compiler_says_so_in_one_sentence(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", PYTHONS[0])
    environment.install("cawait", "setuptools")
    project = new(environment, "mine", "setuptools", tmp_path)
    done = attempt([environment.python, "setup.py", "build_ext"], project, PATH=str(tmp_path), CC="no-such-compiler")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: mine._native cannot be built: {NO_COMPILER}"
