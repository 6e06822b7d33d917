"""Error statuses become the documented exceptions, and tracebacks name the C function and its file."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import _cawait_test as t
from support.common import cancellation, ended, on_trio, spawn_all, started

FUTURES_C = Path(__file__).parents[1] / "support" / "ext" / "futures.c"
CODES = t.errors()

# The table of python.h. A status that is not in it becomes an OSError.
TABLE = {
    "CAW_ENOMEM": MemoryError,
    "CAW_ECANCELED": asyncio.CancelledError,
    "CAW_ECLOSED": RuntimeError,
    "CAW_EBROKEN": RuntimeError,
    "CAW_ENOREACTOR": RuntimeError,
    "CAW_EFORKED": RuntimeError,
    "CAW_EPYTHON": RuntimeError,
    "CAW_EFAILED": RuntimeError,
    "CAW_EDEADLOCK": RuntimeError,
}
NOT_OS_ERRORS = {errno.ENOMEM, errno.ECANCELED}


def error_of(coroutine: Any) -> BaseException:
    """The exception of a coroutine that ends at its first step."""
    try:
        coroutine.send(None)
    except BaseException as error:
        return error
    raise AssertionError("it was suspended")


def test_table_has_every_code() -> None:
    assert set(TABLE) <= set(CODES)
    assert len(set(CODES.values())) == len(CODES)
    assert all(value < 0 for value in CODES.values())


@pytest.mark.parametrize("name", CODES)
def test_code_becomes_its_exception(name: str) -> None:
    error = error_of(t.fail(CODES[name]))
    expected = TABLE.get(name, type(OSError(-CODES[name], "")))
    assert type(error) is expected
    if expected is RuntimeError:
        assert str(error).startswith("'fail': ") and f"({name})" in str(error)
        assert len(str(error)) > len("'fail': ()") + len(name) + 10
    elif issubclass(expected, OSError):
        assert (error.errno, error.strerror) == (-CODES[name], os.strerror(-CODES[name]))
        assert error.filename is None


@pytest.mark.parametrize("name", CODES)
def test_code_comes_through_a_task_and_another_thread(run: Callable[..., Any], name: str) -> None:
    async def main() -> None:
        op = t.Op()
        task = await started(op.wait())
        op.resolve_later(0, CODES[name])
        outcome = await ended(task)
        if name == "CAW_ECANCELED" and on_trio():  # only trio itself may raise its exception
            assert type(outcome) is RuntimeError and "(CAW_ECANCELED)" in str(outcome)
        elif name == "CAW_ECANCELED":
            assert outcome == "cancelled"
        else:
            assert type(outcome) is TABLE.get(name, type(OSError(-CODES[name], "")))

    run(main)


@pytest.mark.parametrize(
    "number, kind",
    [
        (errno.ENOENT, FileNotFoundError),
        (errno.EEXIST, FileExistsError),
        (errno.EPIPE, BrokenPipeError),
        (errno.ECONNRESET, ConnectionResetError),
        (errno.ECONNREFUSED, ConnectionRefusedError),
        (errno.ECONNABORTED, ConnectionAbortedError),
        (errno.ETIMEDOUT, TimeoutError),
        (errno.EACCES, PermissionError),
        (errno.EPERM, PermissionError),
        (errno.EAGAIN, BlockingIOError),
        (errno.EINPROGRESS, BlockingIOError),
        (errno.EINTR, InterruptedError),
        (errno.ESRCH, ProcessLookupError),
        (errno.ECHILD, ChildProcessError),
        (errno.EISDIR, IsADirectoryError),
        (errno.ENOTDIR, NotADirectoryError),
        (errno.EIO, OSError),
        (errno.EINVAL, OSError),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_errno_becomes_the_subclass(number: int, kind: type) -> None:
    error = error_of(t.fail(-number))
    assert type(error) is kind
    assert error.errno == number


def test_every_errno_becomes_what_python_makes_of_it() -> None:
    for number in set(errno.errorcode) - NOT_OS_ERRORS:
        error, expected = error_of(t.fail(-number)), OSError(number, os.strerror(number))
        assert (type(error), error.args) == (type(expected), expected.args)


@pytest.mark.parametrize("status", [-1000, -4095])
def test_number_that_may_be_an_errno_is_an_os_error(status: int) -> None:
    error = error_of(t.fail(status))
    assert type(error) is OSError and error.errno == -status


@pytest.mark.parametrize("status", [1, 5, 2**31 - 1, -4096, -4100, -5000, -(2**31)])
def test_number_that_is_no_status_is_a_system_error(status: int) -> None:
    error = error_of(t.fail(status))
    assert type(error) is SystemError
    assert str(error) == f"the operation 'fail' ended with {status}, which is not a status"


def test_cancelled_is_exactly_the_class_of_asyncio() -> None:
    assert type(error_of(t.fail(CODES["CAW_ECANCELED"]))) is asyncio.CancelledError


def test_start_that_fails_ends_the_await(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(start_status=-errno.EIO, on_cancel="ignored")
        with pytest.raises(OSError) as caught:
            await op.wait()
        assert caught.value.errno == errno.EIO
        assert not op.resolve()
        assert (op.started, op.cancelled, op.freed) == (1, 0, 1)

    run(main)


def test_error_in_a_task_does_not_touch_the_others(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        return [await ended(task) for task in spawn_all([t.fail(-2), t.ready(1), t.fail(-errno.EPIPE)])]

    first, second, third = run(main)
    assert (type(first), second, type(third)) == (FileNotFoundError, 1, BrokenPipeError)


# --- the author's own error function ---


def test_own_error_function_makes_the_exception() -> None:
    for status in (-2, CODES["CAW_ECLOSED"], CODES["CAW_ECANCELED"], -5000):
        error = error_of(t.fail_own(status))
        assert type(error) is LookupError and str(error) == f"own error {status}"


def test_own_error_function_that_sets_nothing_is_a_system_error() -> None:
    error = error_of(t.fail_own(-1))
    assert type(error) is SystemError
    assert str(error) == "the error function of 'fail_own' set no exception for status -1"


def test_own_error_function_is_not_asked_about_what_is_no_error() -> None:
    error = error_of(t.fail_own(7))
    assert type(error) is SystemError and "7, which is not a status" in str(error)


@pytest.mark.parametrize("name", ["CAW_ECANCELED", "CAW_ECLOSED"])
def test_own_error_function_may_leave_a_code_to_the_library(run: Callable[..., Any], name: str) -> None:
    async def main() -> None:
        op = t.Op()
        task = await started(op.wait_default_error())
        op.resolve(CODES[name])
        outcome = await ended(task)
        if name == "CAW_ECANCELED" and not on_trio():
            assert outcome == "cancelled"
        else:
            assert type(outcome) is RuntimeError and f"({name})" in str(outcome)

    run(main)


# --- tracebacks ---


def line_of(row: str) -> int:
    """The line of a row in the table of futures.c."""
    lines = FUTURES_C.read_text().splitlines()
    [number] = [i for i, line in enumerate(lines, 1) if re.search(rf'CAW_PY_ASYNC\w*\("{row}"', line)]
    return number


def last_frame(error: BaseException) -> traceback.FrameSummary:
    return traceback.extract_tb(error.__traceback__)[-1]


@pytest.mark.parametrize("name", ["fail", "fail_own", "result_raises", "result_null"])
def test_traceback_ends_in_the_c_function(run: Callable[..., Any], name: str) -> None:
    async def main() -> None:
        await getattr(t, name)(-2)

    with pytest.raises(Exception) as caught:
        run(main)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames[-2:]] == ["main", name]
    assert frames[-1].filename.endswith("futures.c")
    assert frames[-1].lineno == line_of(name)


def test_traceback_names_the_c_function_once() -> None:
    frames = traceback.extract_tb(error_of(t.fail(-2)).__traceback__)
    assert [frame.name for frame in frames] == ["error_of", "fail"]


def test_traceback_of_a_thrown_exception_ends_in_the_c_function(run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen = []

        async def user() -> None:
            try:
                await t.Op(on_cancel="resolves").wait()
            except cancellation() as error:
                seen.extend(traceback.extract_tb(error.__traceback__))
                raise

        task = await started(user())
        task.cancel()
        assert await ended(task) == "cancelled"
        ours = seen[1]  # below may be frames of the framework
        assert (seen[0].name, ours.name, ours.filename.endswith("op.c")) == ("user", "wait", True)

    run(main)


def test_traceback_of_an_exception_thrown_before_the_start_ends_in_the_c_function() -> None:
    with pytest.raises(KeyError) as caught:
        t.ready(1).throw(KeyError("k"))
    assert (last_frame(caught.value).name, last_frame(caught.value).lineno) == ("ready", line_of("ready"))


def test_formatted_traceback_reads_like_one_of_python() -> None:
    text = "".join(traceback.format_exception(None, error := error_of(t.fail(-2)), error.__traceback__))
    assert re.search(rf'  File ".*futures.c", line {line_of("fail")}, in fail\n', text)
    assert text.endswith("FileNotFoundError: [Errno 2] No such file or directory\n")


def test_context_of_an_error_is_the_exception_being_handled(run: Callable[..., Any]) -> None:
    async def main() -> None:
        try:
            raise KeyError("first")
        except KeyError as first:
            with pytest.raises(FileNotFoundError) as caught:
                await t.fail(-2)
            assert caught.value.__context__ is first

    run(main)


def test_error_carries_no_context_when_nothing_is_handled() -> None:
    error = error_of(t.fail(-2))
    assert (error.__context__, error.__cause__) == (None, None)
