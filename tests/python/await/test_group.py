"""Groups of futures in C whose failure is an ExceptionGroup in Python."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import cancellation, ended, on_trio, sleep, started

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

Run = Callable[..., Any]
groups = pytest.mark.parametrize("group", [t.group, t.group_without_gil], ids=["gil", "nogil"])


async def fails(error: BaseException) -> None:
    """Fails at once."""
    raise error


async def fails_when_cancelled(error: BaseException) -> None:
    """Fails in its cleanup."""
    try:
        await sleep(60)
    except cancellation() as cancelled:
        raise error from cancelled


async def sleeps() -> None:
    """Is cancelled."""
    await sleep(60)


@groups
def test_group_whose_members_all_end_well_is_none(run: Run, group: Any) -> None:
    async def main() -> None:
        assert await group() is None
        assert await group(sleep(0.001), 0, sleep(0), ()) is None

    run(main)


@groups
def test_exceptions_of_all_members_come_as_one_group(run: Run, group: Any) -> None:
    first, second = ValueError("first"), KeyError("second")

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await group(fails_when_cancelled(second), sleeps(), fails(first))
        assert caught.value.message == "unhandled errors in a group"
        assert [type(error) for error in caught.value.exceptions] == [ValueError, KeyError]
        assert caught.value.exceptions[0] is first and caught.value.exceptions[1] is second
        assert isinstance(second.__cause__, cancellation())

    run(main)


@groups
def test_statuses_of_members_in_c_are_exceptions_of_the_group(run: Run, group: Any) -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await group(-errno.ENOENT, fails_when_cancelled(ValueError()))
        missing, failed = caught.value.exceptions
        assert isinstance(missing, FileNotFoundError) and missing.errno == errno.ENOENT
        assert isinstance(failed, ValueError)
        with pytest.raises(ExceptionGroup) as caught:
            await group(t.errors()["CAW_EFAILED"])
        (failed,) = caught.value.exceptions
        assert type(failed) is RuntimeError and "the operation failed" in str(failed)

    run(main)


@groups
def test_group_in_a_group_is_an_exception_of_the_outer_one(run: Run, group: Any) -> None:
    async def main() -> None:
        inner, outer = ValueError("inner"), KeyError("outer")
        with pytest.raises(ExceptionGroup) as caught:
            await group(fails_when_cancelled(outer), (fails(inner), sleeps()))
        one, other = caught.value.exceptions
        assert isinstance(one, ExceptionGroup) and one.message == "inner" and one.exceptions == (inner,)
        assert other is outer

    run(main)


@groups
def test_exception_that_is_no_exception_makes_a_base_exception_group(run: Run, group: Any) -> None:
    class Stop(BaseException):
        pass

    async def main() -> None:
        with pytest.raises(BaseExceptionGroup) as caught:
            await group(fails(Stop()), fails_when_cancelled(ValueError()))
        assert not isinstance(caught.value, ExceptionGroup)
        assert [type(error) for error in caught.value.exceptions] == [Stop, ValueError]

    run(main)


@groups
def test_cancelled_group_raises_the_cancellation(run: Run, group: Any) -> None:
    async def main() -> None:
        task = await started(group(sleeps(), sleeps()))
        task.cancel()
        assert await ended(task) == "cancelled"

    run(main)


def test_async_function_catches_the_group_and_goes_on(run: Run) -> None:
    error = ValueError()

    async def main() -> None:
        assert await t.group_caught(sleep(0)) is None
        caught = await t.group_caught(fails(error), sleeps())
        assert isinstance(caught, ExceptionGroup) and caught.exceptions == (error,)
        with pytest.raises(ExceptionGroup) as outer:
            await t.group(t.group_caught(), t.group(fails(error)))
        assert outer.value.exceptions[0].exceptions == (error,)

    run(main)


def test_member_that_cannot_be_awaited_is_a_plain_error(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="can't be used in 'await'"):
            await t.group("no awaitable")

    run(main)


def test_exception_that_a_poll_leaves_set_is_one_of_the_group(run: Run) -> None:
    first, second = ValueError(), KeyError()

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await t.group(first)
        assert caught.value.exceptions == (first,)
        with pytest.raises(ExceptionGroup) as caught:
            await t.group(fails_when_cancelled(second), (sleeps(), sleep(0)), sleep_then(first))
        assert caught.value.exceptions == (first, second)

    async def sleep_then(error: BaseException) -> None:
        await sleep(0.001)
        await t.all_in_c(error)

    run(main)


def test_exception_that_a_poll_leaves_set_is_not_set_in_what_runs_next(run: Run) -> None:
    first = ValueError()

    async def main() -> None:
        with pytest.raises(ValueError) as caught:
            await t.all_in_c(sleeps(), first, sleeps())
        assert caught.value is first
        assert not await t.catches(first)
        assert not await t.catches(cancellation()() if not on_trio() else first)

    run(main)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_group_in_a_forked_child_is_the_error_of_that() -> None:
    async def waits(group: Any) -> None:
        await group

    group = t.group(0, 0)
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(waits(group))
        except RuntimeError as error:
            os._exit(0 if "CAW_EFORKED" in str(error) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    group.close()


def test_future_that_is_no_group_is_an_error(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError) as caught:
            await t.no_group()
        assert caught.value.errno == errno.EINVAL

    run(main)


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="Python has ExceptionGroup from 3.11 on")
def test_first_error_is_raised_where_there_is_no_class_for_groups(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ValueError()

    async def main() -> None:
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, "exceptiongroup", None)
            try:
                await t.group(fails(error), fails_when_cancelled(KeyError()))
            except ValueError as raised:
                assert raised is error
            else:
                raise AssertionError

    run(main)
