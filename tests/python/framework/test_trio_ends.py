"""With trio: the end of a process, forks, and module objects; each in a process of its own."""

from __future__ import annotations

import subprocess

import pytest

from support.children import MODES, command, run_child, run_command
from support.children import interrupt as interrupt_child
from support.children.asan import ASAN, NO_FORK_BESIDE_BUSY_THREADS

fork_beside_busy_threads = pytest.mark.skipif(ASAN, reason=NO_FORK_BESIDE_BUSY_THREADS)

# Python warns of every fork of a process that has threads.
QUIET = ["-W", "ignore::DeprecationWarning"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "function",
    [
        "returning",
        "daemon_thread",
        "resolved_in_atexit",
        "suspended_by_hand",
        "module_removed",
        "two_modules",
        "first_operations_in_several_threads",
        "subinterpreters_that_share_the_gil",
        "fork_between_runs",
        "child_that_goes_on_in_the_run",
        pytest.param("fork_in_a_task", marks=fork_beside_busy_threads),
    ],
)
def test_end_is_clean(function: str, mode: str) -> None:
    assert run_child("trio_ends", function, options=MODES[mode] + QUIET) == ""


def test_allocation_that_fails_while_trio_is_learned_is_a_memory_error() -> None:
    """Not an exception which says that nothing runs."""
    pytest.importorskip("_testcapi", reason="this Python is without _testcapi, which makes allocations fail")
    assert run_child("trio_ends", "every_allocation_fails_while_trio_is_learned") == ""


@pytest.mark.parametrize("function, code", [("sys_exit", 3), ("os_exit", 4)])
def test_exit_from_inside_a_run_has_the_code(function: str, code: int) -> None:
    run_child("trio_ends", function, returncode=code)


def test_exception_at_top_level_is_all_that_is_said() -> None:
    done = run_command(command("trio_ends", "raising"))
    assert done.returncode == 1
    first, *_, last = done.stderr.splitlines()
    assert first == "Traceback (most recent call last):" and last == "LookupError: at top level"


def interrupt(function: str) -> tuple[int, str, str]:
    """Send SIGINT when the child has printed that it waits; return how it ends."""
    child = subprocess.Popen(
        command("trio_ends", function), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None and child.stdout.readline() == "waiting\n"
        out, err = interrupt_child(child)
    return child.returncode, out, err


def test_interrupt_while_awaiting_ends_the_run_as_usual() -> None:
    assert interrupt("interrupted") == (0, "told 1\nKeyboardInterrupt()\n", "")


def test_interrupt_during_the_first_await_of_the_process_is_not_lost() -> None:
    """It has to look up trio's functions first, and runs Python code for that."""
    for _ in range(5):
        assert interrupt("interrupted_at_once") == (0, "KeyboardInterrupt()\n", "")
