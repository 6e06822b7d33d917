"""Programs whose main is C: each test is a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import _cawait_test as t
import pytest
from children import HANG_SECONDS
from children.asan import ASAN
from frameworks import uvloop

PROGRAM = Path(t.__file__).with_name("cawait_embed")
LOOPS = ["asyncio", "trio"] + (["uvloop"] if uvloop else [])

pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(), reason="this build has no program: there is no libpython to link with"
)

each_loop = pytest.mark.parametrize("loop", LOOPS)


def environment(**changes: str) -> dict[str, str]:
    """Its own library, and the packages of this environment. What the interpreter has at the end of such a program, which
    does not finalize it, is no leak."""
    if ASAN:
        changes["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    library = sysconfig.get_config_var("LIBDIR")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**env, "LD_LIBRARY_PATH": library, "VIRTUAL_ENV": sys.prefix, **changes}


def run(test: str, loop: str = "asyncio", *arguments: str, **changes: str) -> tuple[int, list[str], str]:
    """Its exit code, the lines that it wrote, and its stderr."""
    done = subprocess.run(
        [str(PROGRAM), test, loop, *arguments],
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


@each_loop
def test_run_returns_and_may_be_called_again(loop: str) -> None:
    assert run("returns", loop) == (0, ["OK 0", "in Python", "OK 0", "OK 0"], "")


@each_loop
def test_error_of_the_future_is_returned(loop: str) -> None:
    assert run("native_error", loop) == (1, ["-errno 1"], "")


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
    with subprocess.Popen(
        [str(PROGRAM), test, loop], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout and child.stdout.readline() == "waiting\n"
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=HANG_SECONDS)
    cleaned = ["cleaned up"] if test == "interrupted" else []
    assert (child.returncode, out.splitlines(), errors) == (130, [*cleaned, "-errno 130"], "")


@each_loop
def test_ctrl_c_in_the_beginning_ends_it(loop: str) -> None:
    assert run("interrupted_in_begin", loop) == (130, ["-errno 130"], "")


@each_loop
def test_other_end_of_the_run_is_told(loop: str) -> None:
    code, lines, errors = run("crashes", loop)
    assert (code, lines) == (1, ["CAW_EPYTHON 1"])
    assert ("LookupError: not in main" if loop == "trio" else "RuntimeError: Event loop stopped") in errors


def test_isolated_interpreter_is_isolated() -> None:
    assert run("isolated") == (0, ["1", "OK 0"], "")


def test_main_thread_is_the_one_that_began_the_interpreter() -> None:
    assert run("begun_by_c") == (0, ["-errno 1", "OK 0"], "")


@each_loop
def test_what_is_released_after_the_interpreters_end_is_gone(loop: str) -> None:
    assert run("finalized", loop) == (0, ["OK 0", "finalized 0", "released"], "")


def test_virtual_environment_is_used() -> None:
    assert run("venv") == (0, [sys.prefix, "OK 0"], "")


def test_arguments_are_passed_on() -> None:
    assert run("arguments", "asyncio", "a", "b c") == (0, ["['arguments', 'asyncio', 'a', 'b c']", "OK 0"], "")


@each_loop
def test_run_in_another_thread_or_inside_a_loop_is_refused(loop: str) -> None:
    assert run("wrong_thread", loop) == (0, ["OK 0", "-errno 1", "OK 0"], "")
    assert run("nested", loop) == (0, ["-errno 1", "OK 0"], "")


def test_bad_options_are_refused() -> None:
    assert run("bad_options") == (0, ["CAW_EINVAL 1", "CAW_EINVAL 1", "OK 0"], "")


@each_loop
def test_run_forever_serves_a_native_thread_until_that_stops_it(loop: str) -> None:
    assert run("forever", loop) == (0, ["200", "OK 0"], "")


@each_loop
def test_error_of_the_beginning_is_returned(loop: str) -> None:
    assert run("forever_fails", loop) == (1, ["-errno 1"], "")


@each_loop
def test_stop_before_the_run_ends_it_at_once(loop: str) -> None:
    assert run("stopped_before", loop) == (0, ["OK 0"], "")
