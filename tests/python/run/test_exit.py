"""The end of a process: each test has a process of its own, with the expected exit code and nothing on stderr."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.children import MODES, command, interrupt, run_child, run_command
from support.kinds import WAKE_KINDS, each_kind

loops = each_kind("kind", WAKE_KINDS)
modes = pytest.mark.parametrize("mode", MODES)

# Warnings of loops that are left open do not matter here.
QUIET = ["-W", "ignore::ResourceWarning"]


def options(mode):
    return MODES[mode] + QUIET


@loops
@modes
@pytest.mark.parametrize("function", ["returning", "unclosed"])
def test_exit_with_two_thousand_in_flight_is_clean_every_time(function, mode, kind):
    for _ in range(2):
        run_child("exits", function, kind, options=options(mode))


@loops
@pytest.mark.parametrize(
    "function",
    [
        "daemon_thread",
        "resolved_in_atexit",
        "loops_closed_just_before",
        "resolved_after_finalization",
        "resolved_around_the_exit",
        "calls_around_the_exit",
        "calls_in_flight",
        "suspended_by_hand",
        "awaited",
        "module_removed",
        "module_removed_while_suspended",
        "two_modules",
    ],
)
def test_end_is_clean(function, kind):
    with ThreadPoolExecutor(2) as pool:
        outputs = list(pool.map(lambda mode: run_child("exits", function, kind, options=options(mode)), MODES))
    assert outputs == ["", ""]


@loops
@pytest.mark.parametrize("function, code", [("sys_exit", 3), ("sys_exit_in_resumed_task", 3), ("os_exit", 4)])
def test_exit_from_inside_a_task_has_the_code(function, code, kind):
    run_child("exits", function, kind, options=QUIET, returncode=code)


@loops
def test_exception_at_top_level_is_all_that_is_said(kind):
    done = run_command(command("exits", "top_level_exception", kind, options=QUIET))
    assert done.returncode == 1
    first, *_, last = done.stderr.splitlines()
    assert first == "Traceback (most recent call last):" and last == "LookupError: at top level"


@loops
def test_interrupt_while_awaiting_leaves_run_as_usual(kind):
    child = subprocess.Popen(
        command("exits", "interrupted", kind), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout.readline() == "waiting\n"
        out, err = interrupt(child)
    assert (child.returncode, out, err) == (0, "told 1\ninterrupted\n", "")


@pytest.mark.skipif(
    sys.version_info < (3, 13), reason="before 3.13 asyncio itself crashes CPython in an interpreter with its own GIL"
)
def test_subinterpreters_with_their_own_gil_import_await_and_end():
    assert run_child("exits", "subinterpreters", "asyncio") == ""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="CPython has interpreters with their own GIL from 3.12 on")
def test_subinterpreters_with_their_own_gil_load_the_module_at_once():
    assert run_child("exits", "subinterpreters_without_asyncio", "asyncio") == ""


def test_subinterpreters_that_share_the_gil_import_await_and_end():
    assert run_child("exits", "subinterpreters_that_share_the_gil", "asyncio") == ""


def test_locals_of_another_interpreter_are_refused_and_a_reference_goes_home():
    assert run_child("exits", "locals_of_another_interpreter", "asyncio") == ""


def test_second_resolve_is_ignored_or_aborts_with_a_message():
    done = run_command(command("exits", "debug_double_resolve", "asyncio"))
    if done.returncode == 0:
        assert (done.stdout, done.stderr) == ("ignored\n", "")
    else:
        assert 'caw_promise_resolve("test.op") on a promise that is resolved already' in done.stderr
