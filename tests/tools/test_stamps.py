"""Whatever decides what is built is in the stamps: with a change of it, what is there is made anew."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import build
import foreign_loops
import identity
import interpreters
import pytest
import setup_env
from common import BUILD
from interpreters import Interpreter
from shape import symbols


@pytest.fixture(autouse=True)
def asked_anew() -> None:
    """What programs say of themselves is kept for one call of a tool."""
    identity.of_python.cache_clear()
    identity.of_compiler.cache_clear()


def program(path: Path, says: str) -> str:
    """A program that prints a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(path)


# --- build folders ---


def stamp(tmp_path: Path, **options: str) -> str:
    """The stamp of a build folder."""
    return build.settings_of(tmp_path / "build", {"python": "enabled", "python_exe": sys.executable, **options})


@pytest.mark.parametrize("name", "CC CXX CFLAGS CPPFLAGS CXXFLAGS LDFLAGS AR CPATH PKG_CONFIG_PATH".split())
def test_another_value_of_a_variable_is_another_build(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name, raising=False)
    found = [stamp(tmp_path)]
    for value in ("-DONE", "-DTWO"):
        monkeypatch.setenv(name, value)
        found.append(stamp(tmp_path))
    assert len(set(found)) == 3


def test_variable_that_decides_nothing_is_no_other_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stamp(tmp_path)
    monkeypatch.setenv("EDITOR", "ed")
    assert stamp(tmp_path) == before


def test_another_interpreter_behind_the_same_path_is_another_build(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    found = []
    for says in ("3.12.1", "3.11.7", "3.11.7"):
        program(python, says)
        identity.of_python.cache_clear()
        found.append(stamp(tmp_path, python_exe=str(python)))
    assert found[0] != found[1] == found[2]


def test_interpreter_that_was_built_anew_in_its_place_is_another_one(tmp_path: Path) -> None:
    found = []
    for time in (1, 2):
        link = tmp_path / f"python{time}"
        copy = tmp_path / "python"
        copy.unlink(missing_ok=True)
        copy.symlink_to(os.path.realpath(sys.executable))
        link.symlink_to(copy)
        found.append(identity.of_python(link).split()[:2])
    assert found[0] == found[1] and found[0][1].isdigit()  # the time when the program was written is a part


def test_another_version_of_the_compiler_is_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for says in ("gcc 12", "gcc 13"):
        monkeypatch.setenv("CC", program(tmp_path / "cc", says))
        identity.of_compiler.cache_clear()
        found.append(stamp(tmp_path))
    assert found[0] != found[1]
    assert "no such compiler" in identity.of_compiler("no such compiler")


def test_another_option_or_another_place_is_another_build(tmp_path: Path) -> None:
    assert len({stamp(tmp_path), stamp(tmp_path, reactor="portable"), stamp(tmp_path / "moved")}) == 3


def test_folder_is_kept_while_nothing_changes_and_made_anew_when_something_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def noted(command: list[object], *_: object) -> str:
        ran.append(str(command[1]))
        (tmp_path / "build").mkdir(exist_ok=True)
        return ""

    monkeypatch.setattr(build, "run_quietly", noted)
    for flags in ("-O1", "-O1", "-O2"):
        monkeypatch.setenv("CFLAGS", flags)
        build.meson_build(tmp_path / "build", {"python": "disabled"})
    assert [word for word in ran if word == "setup"] == ["setup", "setup"]


# --- environments, objects ---


def test_stamp_of_the_set_up_holds_interpreter_place_and_requirements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [setup_env.wanted_stamp()]
    monkeypatch.setattr(setup_env.sys, "version", "another")
    found.append(setup_env.wanted_stamp())
    monkeypatch.setattr(setup_env, "VENV", tmp_path)
    found.append(setup_env.wanted_stamp())
    (tmp_path / "requirements").write_text("pip\n")
    monkeypatch.setattr(setup_env, "REQUIREMENTS", tmp_path / "requirements")
    found.append(setup_env.wanted_stamp())
    assert len(set(found)) == 4


def test_stamp_of_a_test_environment_holds_the_interpreter_behind_the_path(tmp_path: Path) -> None:
    one = Interpreter(tmp_path / "python", (3, 12, 1), "3.12.1")
    found = []
    for says in ("built in May", "built in June"):
        program(one.path, says)
        identity.of_python.cache_clear()
        found.append(interpreters.requirements_stamp(one))
    assert found[0] != found[1]


def test_stamp_of_the_loops_of_others_holds_the_interpreter_and_what_they_are_built_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Interpreter(tmp_path / "python", (3, 12, 1), "3.12.1")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = []
    for python, library in (("built in May", "1.74"), ("built in June", "1.74"), ("built in June", "not there")):
        program(one.path, python)
        program(tmp_path / "pkg-config", library)
        identity.of_python.cache_clear()
        found.append(foreign_loops.wanted_stamp(one))
    assert len(set(found)) == 3


def test_object_of_another_compiler_or_of_other_folders_is_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depends = tmp_path / "one.d"
    depends.write_text("one.o:\n")
    found = []
    for says in ("gcc 12", "gcc 13"):
        words = [program(tmp_path / "cc", says), "-c"]
        identity.of_compiler.cache_clear()
        found.append(symbols.key_of(words, depends))
    monkeypatch.setenv("CPATH", "/opt/include")
    found.append(symbols.key_of(words, depends))
    assert len(set(found)) == 3


def test_objects_of_another_tree_are_not_among_ours(tmp_path: Path) -> None:
    (tmp_path / "one.c").write_text("int one(void) { return 1; }\n")
    assert symbols.read(tmp_path, ["one.c"]).defined == {"one.c": {"one"}}
    assert (tmp_path / "build" / "symbols" / "one.c.o").exists()
    assert not (BUILD / "symbols" / "one.c.o").exists()
