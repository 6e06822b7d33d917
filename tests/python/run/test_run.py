"""Programs whose main is C. Each test has a process of its own."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from support.children.programs import each_loop, find_program, interrupt_program, needs, run_program

PROGRAM = find_program("cawait_embed")

pytestmark = needs(PROGRAM)


def run(test: str, loop: str = "asyncio", *arguments: str) -> tuple[int, list[str], str]:
    """Run it; return its exit code, the lines that it wrote, and its stderr."""
    done = run_program(PROGRAM, test, loop, *arguments)
    return done.returncode, done.stdout.splitlines(), done.stderr


@each_loop
def test_run_returns_and_may_be_called_again(loop: str) -> None:
    assert run("returns", loop) == (0, ["OK 0", "in Python", "OK 0", "OK 0"], "")


@each_loop
def test_error_of_the_future_is_returned(loop: str) -> None:
    assert run("native_error", loop) == (1, ["EIO 1"], "")
    assert run("cancelled", loop) == (1, ["CAW_ECANCELED 1"], "")


@each_loop
@pytest.mark.parametrize("test, what", [("raises", "in main"), ("raises_in_begin", "in begin")])
def test_exception_is_printed(loop: str, test: str, what: str) -> None:
    code, lines, errors = run(test, loop)
    assert (code, lines) == (1, ["CAW_EPYTHON 1"])
    assert errors.startswith("Traceback") and errors.endswith(f"LookupError: '{what}'\n") or what in errors


@each_loop
def test_system_exit_gives_the_exit_code(loop: str) -> None:
    assert run("exits", loop) == (7, ["CAW_EPYTHON 7"], "")


@each_loop
def test_async_generators_are_closed(loop: str) -> None:
    code, lines, _ = run("cleanup", loop)
    assert (code, lines) == (0, ["1", "generator closed", "OK 0"])


@each_loop
@pytest.mark.parametrize("test", ["interrupted", "interrupted_native", "forever_interrupted"])
def test_ctrl_c_cancels_and_cleans_up(loop: str, test: str) -> None:
    code, out, errors = interrupt_program(PROGRAM, test, loop)
    cleaned = ["cleaned up"] if test == "interrupted" else []
    assert (code, out.splitlines(), errors) == (130, [*cleaned, "EINTR 130"], "")


@each_loop
def test_ctrl_c_in_the_beginning_ends_it(loop: str) -> None:
    assert run("interrupted_in_begin", loop) == (130, ["EINTR 130"], "")


@each_loop
def test_other_end_of_the_run_is_told(loop: str) -> None:
    code, lines, errors = run("crashes", loop)
    assert (code, lines) == (1, ["CAW_EPYTHON 1"])
    assert ("LookupError: not in main" if loop == "trio" else "RuntimeError: Event loop stopped") in errors


def test_isolated_interpreter_is_isolated() -> None:
    assert run("isolated", "asyncio", sys.executable) == (0, ["1", "OK 0"], "")


def test_main_thread_is_the_one_that_began_the_interpreter() -> None:
    assert run("begun_by_c") == (0, ["EPERM 1", "OK 0"], "")


@each_loop
def test_what_is_released_after_the_interpreters_end_is_gone(loop: str) -> None:
    assert run("finalized", loop) == (0, ["OK 0", "finalized 0", "released"], "")


def test_virtual_environment_is_used() -> None:
    assert run("venv") == (0, [sys.prefix, "OK 0"], "")


def fake_environment(folder: Path, series: str) -> str:
    """An environment of a Python, without that: the path of its python. An empty text: it is no environment."""
    python = folder / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    if series:
        (folder / "env" / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
        (folder / "env" / "lib" / f"python{series}" / "site-packages").mkdir(parents=True)
    return str(python)


def test_python_of_the_options_is_used_before_the_variable() -> None:
    assert run("python", "asyncio", sys.executable) == (0, [sys.prefix, "OK 0"], "")
    done = run_program(PROGRAM, "python", "asyncio", sys.executable, VIRTUAL_ENV="/no/such")
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, [sys.prefix, "OK 0"], "")


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("python", ["/no/such/python", "", "no_such_python", "/", "/tmp"])
def test_python_that_is_not_there_is_an_error_that_names_it(loop: str, python: str) -> None:
    code, lines, said = run("python", loop, python)
    assert (code, said) == (1, f"cawait: no interpreter: there is no python at {python}\n")
    assert lines == ["ENOENT 1"]


def test_environment_that_is_gone_is_an_error_that_names_the_variable() -> None:
    done = run_program(PROGRAM, "venv", VIRTUAL_ENV="/no/such")
    text = "there is no python at /no/such/bin/python (VIRTUAL_ENV names it)"
    assert (done.returncode, done.stderr) == (1, f"cawait: no interpreter: {text}\n")
    done = run_program(PROGRAM, "venv", VIRTUAL_ENV="/" + "a" * 5000)
    assert (done.returncode, done.stderr) == (1, "cawait: no interpreter: VIRTUAL_ENV is too long\n")


def test_environment_that_is_gone_is_no_matter_where_it_is_not_looked_for() -> None:
    for value, test in (("/no/such", "isolated_venv"), ("", "venv")):
        done = run_program(PROGRAM, test, VIRTUAL_ENV=value)
        assert "there is no python" not in done.stderr  # some need one to find their standard library


def test_environment_of_another_python_is_an_error(tmp_path: Path) -> None:
    here = sysconfig.get_path("purelib").split("/python")[-1].split("/")[0]
    other, no_environment = (fake_environment(tmp_path / f"of{name}", name) for name in ("3.99", ""))
    text = f"cawait: no interpreter: {other} is not a Python {here}\n"
    assert run("python", "asyncio", other) == (1, ["CAW_EINVAL 1"], text)
    assert run("python", "asyncio", fake_environment(tmp_path / here, here))[::2] == (0, "")
    assert "is not a Python" not in run("python", "asyncio", no_environment)[2]  # that is the interpreter's own matter


def test_python_is_no_matter_once_the_interpreter_runs() -> None:
    assert run("python_later") == (0, ["OK 0", "OK 0"], "")


def test_arguments_are_passed_on() -> None:
    assert run("arguments", "asyncio", "a", "b c") == (0, ["['arguments', 'asyncio', 'a', 'b c']", "OK 0"], "")


@each_loop
def test_run_in_another_thread_or_inside_a_loop_is_refused(loop: str) -> None:
    assert run("wrong_thread", loop) == (0, ["OK 0", "EPERM 1", "OK 0"], "")
    assert run("nested", loop) == (0, ["EBUSY 1", "OK 0"], "")


def test_bad_options_are_refused() -> None:
    assert run("bad_options") == (0, ["CAW_EINVAL 1", "CAW_EINVAL 1", "OK 0"], "")


@each_loop
def test_run_forever_serves_a_native_thread_until_that_stops_it(loop: str) -> None:
    assert run("forever", loop) == (0, ["200", "OK 0"], "")


@each_loop
def test_error_of_the_beginning_is_returned(loop: str) -> None:
    assert run("forever_fails", loop) == (1, ["EIO 1"], "")


@each_loop
def test_stop_before_the_run_ends_it_at_once(loop: str) -> None:
    assert run("stopped_before", loop) == (0, ["OK 0"], "")
