"""Functions of an author's that return what they should not: an error in place of CAW_READY, a number that is none."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.children import command, run_command
from support.common import cancelled, ended, on_trio, spawn, until
from support.returns import ways

CODES = t.errors()

# The exceptions of some errors, by what a function returns.
ERRORS = {
    -errno.ENOENT: (FileNotFoundError, os.strerror(errno.ENOENT)),
    -errno.ENOMEM: (MemoryError, ""),
    CODES["CAW_EINVAL"]: (OSError, os.strerror(errno.EINVAL)),
    CODES["CAW_EFAILED"]: (RuntimeError, "(CAW_EFAILED)"),
    -9999: (SystemError, "ended with -9999, which is not a status"),
    -(2**31): (SystemError, f"ended with {-(2**31)}, which is not a status"),
}

WAYS = list(ways(0))
# What the operation is called whose function returned the number, and in which functions 1 is allowed.
NAMES = {
    "start": "the start function of 'test.starts'",
    "run": "the run function of 'blocking'",
    "result": "the result function of 'python.call'",
    "poll_next": "the poll_next function of 'test.returns'",
    "poll_next of lists": "the poll_next function of 'test.returns'",
    "poll_next in a merge": "the poll_next function of 'test.returns'",
    "map": "the map function of 'map'",
    "channel's start": "the start function of 'channel'",
    "convert": "the convert function of 'python.iterate in place'",
    "convert in a task": "the convert function of 'python.iterate",
    "read": "the poll_read function of 'test.reads'",
    "send_all": "the poll_write function of 'test.writes'",
    "aclose": "the poll_close function of 'test.writes'",
}


@pytest.mark.parametrize("number", ERRORS)
@pytest.mark.parametrize("way", WAYS)
def test_error_that_is_returned_is_the_exception(run: Callable[..., Any], way: str, number: int) -> None:
    async def main() -> None:
        outcome = await ended(spawn(ways(number)[way]()))
        kind, text = ERRORS[number]
        assert type(outcome) is kind, outcome
        assert text in str(outcome)

    run(main)


@pytest.mark.parametrize("way", WAYS)
def test_cancellation_that_is_returned_is_one(run: Callable[..., Any], way: str) -> None:
    async def main() -> None:
        outcome = await ended(spawn(ways(CODES["CAW_ECANCELED"])[way]()))
        if on_trio():  # only trio itself may raise its exception
            assert type(outcome) is RuntimeError and "CAW_ECANCELED" in str(outcome)
        else:
            assert outcome == "cancelled"

    run(main)


def test_status_that_is_none_is_said_with_the_name_of_the_operation() -> None:
    with pytest.raises(SystemError, match="^the operation 'returns' ended with -9999, which is not a status$"):
        t.returns("poll", -9999).send(None)
    with pytest.raises(RuntimeError, match=r"^'returns': the operation failed \(CAW_EFAILED\)$"):
        t.returns("poll", CODES["CAW_EFAILED"]).send(None)


# --- mistakes: in a process of their own, which a debug build aborts ---


@pytest.mark.parametrize("number", [2, 2**31 - 1])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_status_aborts_or_raises_with_the_name(way: str, number: int) -> None:
    name = NAMES.get(way, "the poll function of 'test.returns'")
    done = run_command(command("returns", "mistake", "asyncio", way, number))
    if done.returncode == -signal.SIGABRT:
        assert f"cawait: {name}" in done.stderr
        assert f" returned {number}\n" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")
        kind, _, text = done.stdout.partition(": ")
        assert kind == "OSError"
        if way in ("spawned poll",):  # on a worker, whose mistakes this thread does not know
            assert text == f"[Errno {errno.EINVAL}] {os.strerror(errno.EINVAL)}\n"
        else:
            assert text.startswith(f"[Errno {errno.EINVAL}] {os.strerror(errno.EINVAL)}: {name}")
            assert text.endswith(f" returned {number}\n")


# --- pending, and nobody can wake it: a debug build warns ---

LOST = r"^coroutine 'pends' waits for 'test.returns', .* nobody has a clone of its waker"


def is_debug_build() -> bool:
    return run_command(command("returns", "mistake", "asyncio", "poll", 7)).returncode == -signal.SIGABRT


@pytest.mark.parametrize("polls", [0, 3])
def test_pending_without_a_clone_of_the_waker_is_warned_of(run: Callable[..., Any], polls: int) -> None:
    if not is_debug_build():
        pytest.skip("this is found in debug builds only, which the header says")

    async def main() -> None:
        with pytest.warns(RuntimeWarning, match=LOST) as warned:
            task = spawn(t.pends(polls))
            await until(lambda: len(warned) > 0)
        await cancelled(task)

    run(main)


def test_warning_that_is_an_error_ends_the_await(run: Callable[..., Any]) -> None:
    if not is_debug_build():
        pytest.skip("this is found in debug builds only, which the header says")

    async def main() -> None:
        with pytest.raises(RuntimeWarning, match=LOST):
            await t.pends(0)

    run(main)


def test_blocking_call_warns_too() -> None:
    if not is_debug_build():
        pytest.skip("this is found in debug builds only, which the header says")
    with pytest.raises(RuntimeWarning, match=r"^pends_sync\(\) waits for 'test.returns', .* nobody has a clone"):
        t.pends_sync(3)
