"""What the benchmarks say of the interpreter, which ones they run on, and the rows for README.md."""

from __future__ import annotations

import bench as tool
import built_as
import count
import pytest
from common import ROOT
from interpreters import Interpreter

PYENV = {"CONFIG_ARGS": "'--prefix=/opt/python' '--enable-shared'", "PY_CORE_CFLAGS": "-O3 -DNDEBUG"}
DEBIAN = {"CONFIG_ARGS": "'--prefix=/usr' '--with-system-expat'", "PY_CFLAGS": "-g -O2"}


@pytest.mark.parametrize(
    ("variables", "schemes", "prefix", "optimized", "says"),
    [
        (PYENV, ["posix_prefix"], "/opt", False, "without profile-guided"),
        (PYENV | {"CONFIG_ARGS": "--enable-optimizations"}, [], "/opt", True, "with profile-guided optimization"),
        (
            PYENV | {"CONFIG_ARGS": "--enable-optimizations --with-lto"},
            [],
            "/opt",
            True,
            "with profile-guided optimization and link-time optimization",
        ),
        (PYENV | {"PY_CORE_CFLAGS": "-O3 -fprofile-use"}, [], "/opt", True, "with profile-guided"),
        # configure writes this one down in each build
        (PYENV | {"PGO_PROF_USE_FLAG": "-fprofile-use -fprofile-correction"}, [], "/opt", False, "without"),
        (DEBIAN, ["deb_system", "posix_local"], "/usr", True, "Debian's build"),
        (DEBIAN, ["deb_system", "posix_local"], "/build/pythons/sid/usr", True, "Debian's build"),
        (DEBIAN | {"Py_DEBUG": 1}, ["deb_system"], "/usr", False, "Py_DEBUG"),
        (DEBIAN, ["posix_prefix"], "/usr", None, "not known"),
        ({}, ["posix_prefix"], "/opt", None, "not known"),
        ({"CONFIG_ARGS": None}, [], "/opt", None, "not known"),
    ],
)
def test_interpreter_is_called_optimized_only_where_that_is_known(
    variables: dict[str, object], schemes: list[str], prefix: str, optimized: bool | None, says: str
) -> None:
    built = built_as.judge(variables, schemes, prefix)
    assert built.optimized is optimized
    assert says in built.text


def test_kept_counts_hold_for_one_build_where_a_profile_may_have_guided_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for optimized in (True, None, False):
        monkeypatch.setattr(built_as, "this_one", lambda: built_as.Built(optimized, ""))  # noqa: B023
        assert ("PGO of" in built_as.made_with()) == (optimized is not False)


def test_benchmarks_run_on_the_optimized_ones_or_say_that_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = [Interpreter(ROOT / name, tuple(map(int, name.split("."))), name) for name in ("3.12.1", "3.14.10")]
    monkeypatch.setattr(tool, "discover", lambda: here)
    monkeypatch.setattr(tool, "is_optimized", lambda one: one.name == "3.14.10")
    assert tool.wanted([]) == [here[1]]
    assert tool.wanted(["3.12"]) == [here[0]]
    monkeypatch.setattr(tool, "is_optimized", lambda one: False)
    tool.wanted([])
    assert "no CPython here is optimized" in capsys.readouterr().out


def row(name: str, python: str, loop: str | None, ratio: float | None, variant: str | None = None) -> dict[str, object]:
    """A row as bench/bench.py writes it."""
    return {
        "name": name,
        "python": python,
        "loop": loop,
        "ratio": ratio,
        "variant": variant,
        "ours": 37.2,
        "unit": "ns",
    }


def test_markdown_has_a_column_for_each_interpreter_and_a_figure_for_each_loop() -> None:
    rows = [
        row("wake_1000/sleep0", "3.11.2", "asyncio", 0.666),
        row("wake_1000/sleep0", "3.11.2", "uvloop", 1.2345),
        row("wake_1000/sleep0", "3.14.10", "asyncio", 12.3),
        row("produce/ns", "3.11.2", "asyncio", None),
        row("ready/async_def", "3.11.2", None, 0.7, "int"),
    ]
    assert tool.markdown(rows).splitlines() == [
        "| | 3.11.2 | 3.14.10 |",
        "|---|---|---|",
        "| the same with an int as the value | 0.70 | - |",
        "| the same, against `await asyncio.sleep(0)` without a thread | 0.67, 1.23 | 12 |",
        "| the producer's cost for a completion | 37 ns | - |",
    ]


def test_rows_for_readme_are_rows_of_the_benchmark() -> None:
    text = "".join(path.read_text() for path in (ROOT / "bench").glob("*.py"))
    assert {name for name, _ in tool.ROWS.values() if f'"{name}"' not in text} == set()
    assert len(set(tool.ROWS.values())) == len(tool.ROWS)


def test_counts_of_the_newest_are_a_part_of_the_gate_where_they_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count, "read_kept", lambda: {"3.10.13": None, "3.12.1": None})
    assert count.of_gate() == list(count.GATE)
    monkeypatch.setattr(count, "read_kept", lambda: {"3.14.10": None, "3.15.2": None})
    assert count.of_gate() == [*count.GATE, "3.15.2"]


def test_count_above_its_goal_is_a_failure_also_where_it_is_kept() -> None:
    for name, goal in count.GOALS.items():
        assert f'"{name}"' in (ROOT / "bench" / "count_rows.py").read_text()
        for instructions, problem in ((goal, ""), (goal + 1, "more than its goal")):
            one = count.Count(instructions, instructions)
            assert count.Compared(name, one, one).problem == problem
    other = count.Count(1e6, 1e6)
    assert count.Compared("ready, None", other, other).problem == ""
