"""Which interpreter is meant by --python, which packages each gets, and what runs on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import check
import interpreters
import pytest
import test as tool
from interpreters import Interpreter, choose

HERE = [
    Interpreter(Path(f"/{name}"), tuple(map(int, name.rstrip("td").split("."))), name)
    for name in "3.1.4 3.10.13 3.11.2 3.11.7 3.12.1 3.12.10 3.13.0 3.13.0t 3.14.10 3.14.10d 3.15.2d".split()
]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ("", [one.name for one in HERE]),
        ("3.14.10", ["3.14.10"]),
        ("3.14.10d", ["3.14.10d"]),
        ("3.14", ["3.14.10"]),
        ("3.14d", ["3.14.10d"]),
        ("3.13t", ["3.13.0t"]),
        ("3.15", ["3.15.2d"]),
        ("3.15.2", ["3.15.2d"]),
        ("3.12.1", ["3.12.1"]),
        ("3.11", ["3.11.2", "3.11.7"]),
        ("3.1", ["3.1.4"]),
        ("3.11 3.13", ["3.11.2", "3.11.7", "3.13.0"]),
        ("3.13 3.13.0 3.13", ["3.13.0"]),
        ("3", [one.name for one in HERE]),
        ("3.", [one.name for one in HERE]),
        ("4", []),
        ("3.14.1", []),
        ("d", []),
    ],
)
def test_whole_name_comes_first_then_a_series_then_the_first_numbers(patterns: str, names: list[str]) -> None:
    assert [one.name for one in choose(HERE, patterns.split())] == names


def test_venv_is_the_interpreter_of_the_set_up() -> None:
    mine = Interpreter(Path(sys.executable).resolve(), (3, 15, 2), "3.15.2d")
    assert choose([Interpreter(Path("/other"), (3, 15, 2), "3.15.2"), mine], ["venv"]) == [mine]


def test_unknown_python_ends_the_tools_with_its_name() -> None:
    for name in ("test", "count", "bench", "size"):
        command = [sys.executable, f"tools/{name}.py", *(["9.9"] if name == "size" else ["--python", "9.9"])]
        done = subprocess.run(command, cwd=interpreters.ROOT, capture_output=True, text=True)
        assert done.returncode != 0 and "9.9" in done.stderr


def test_those_of_make_pythons_are_looked_for() -> None:
    assert interpreters.PYTHONS == interpreters.BUILD / "pythons" / "bin"


@pytest.mark.parametrize("name", ["3.10.13", "3.13.0t", "3.14.10t", "3.15.2d"])
def test_packages_are_those_that_can_be_installed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def noted(command: list[object]) -> str:
        commands.append([str(word) for word in command])
        (tmp_path / "py" / name / "venv").mkdir(parents=True, exist_ok=True)
        return ""

    monkeypatch.setattr(interpreters, "BUILD", tmp_path)
    monkeypatch.setattr(interpreters, "run_quietly", noted)
    one = Interpreter(Path(sys.executable), tuple(map(int, name.rstrip("td").split("."))), name)
    assert interpreters.make_environment(one) == ""
    pure = any(word.endswith("requirements-hypothesis-pure.txt") for command in commands for word in command)
    assert pure == (name == "3.13.0t")
    made = len(commands)
    interpreters.make_environment(one)
    assert len(commands) == made


def test_pip_can_install_into_each_of_them() -> None:
    text = (interpreters.ROOT / "tools" / "requirements.txt").read_text()
    pin = next(line for line in text.splitlines() if line.startswith("pip=="))
    assert int(pin.removeprefix("pip==").split(".")[0]) >= 26  # before, it cannot run on 3.15


def test_oldest_newest_and_named_ones_run_every_kind_and_the_others_fewer() -> None:
    some = choose(HERE, ["3.10", "3.12.1", "3.14", "3.14d"])
    debug = ["--kinds=asyncio,trio"]
    found = [[list(tool.kinds_to_run(one, some, named)) for one in some] for named in (False, True)]
    assert found == [[[], ["--kinds=one-each,uvloop"], [], debug], [[], [], [], debug]]


def test_interpreters_of_asan_are_found_by_series(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(check, "discover", lambda: choose(HERE, ["3.10", "3.12.1", "3.12.10", "3.14"]))
    monkeypatch.setattr(check, "sanitized", lambda name, *options: ran.append(name) or check.Row(name))
    check.address_sanitizer()
    assert ran == ["asan-c", "asan-3.12.1", "asan-3.10.13"]
