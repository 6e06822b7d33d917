"""An exception of Python goes wherever its status goes: through a pool, promises, channels, streams."""

from __future__ import annotations

import asyncio
import gc
import traceback
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import ended, since_311, spawn, turn

EPYTHON = -4104
CALLS = [
    "blocking", "nested calls", "call on a task", "race in a call", "work", "task", "nested tasks", "race",
    "race on a task", "join", "detached task", "thread", "channel", "channel on a task",
]  # fmt: skip
ITERABLES = ["iterable", "iterable in place", "iterable in a call", "iterable on a task"]


class Trouble(LookupError):
    """An exception with a state."""


def failing(error: BaseException) -> Callable[[], Any]:
    def function_that_fails() -> Any:
        raise error

    return function_that_fails


def failing_later(error: BaseException) -> Callable[[], Any]:
    async def function_that_fails() -> Any:
        await turn()
        raise error

    return function_that_fails


def failing_iterable(error: BaseException) -> Callable[[], Any]:
    async def function_that_fails() -> AsyncIterator[int]:
        for i in range(3):
            await turn()
            yield i
        raise error

    return function_that_fails


WAYS = [(way, make) for way in CALLS for make in (failing, failing_later)]
WAYS += [(way, failing_iterable) for way in ITERABLES]


@pytest.mark.parametrize("way, make", WAYS)
def test_awaiter_gets_the_very_exception_with_its_traceback(run: Callable[..., Any], way: str, make: Any) -> None:
    async def main() -> None:
        error = Trouble(way)
        error.__cause__ = ValueError("the cause")
        with pytest.raises(Trouble) as caught:
            await t.passed_on(way, make(error))
        assert caught.value is error and isinstance(error.__cause__, ValueError)
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert names[0] == "main" and names[-1] == "function_that_fails"

    run(main)


@pytest.mark.parametrize("way, make", WAYS)
def test_nothing_keeps_the_exception_afterwards(run: Callable[..., Any], way: str, make: Any) -> None:
    async def failed() -> weakref.ref[Trouble]:
        error = Trouble(way)
        ref = weakref.ref(error)
        try:
            await t.passed_on(way, make(error))
        except Trouble as caught:
            assert caught is error
        del error
        return ref

    async def main() -> None:
        ref = await failed()
        for _ in range(1000):
            if ref() is None:
                break
            gc.collect()
            await t.sleep(0.001)
        assert ref() is None

    run(main)


def test_each_of_many_awaiters_gets_its_own(run: Callable[..., Any]) -> None:
    async def main() -> None:
        errors = [Trouble(i) for i in range(60)]
        alone = [way for way in CALLS if way not in ("nested calls", "call on a task")]  # these need a second worker
        ways = [alone[i % len(alone)] for i in range(60)]
        tasks = [spawn(t.passed_on(way, failing(error))) for way, error in zip(ways, errors)]
        assert [await ended(task) for task in tasks] == errors

    run(main)


def test_the_last_of_two_is_the_one_that_the_call_ended_with(run: Callable[..., Any]) -> None:
    async def main() -> None:
        first, second = Trouble(1), Trouble(2)
        with pytest.raises(Trouble) as caught:
            await t.passed_on("both", failing(first), failing(second))
        assert caught.value is second

    run(main)


def test_status_that_was_replaced_takes_no_exception_along(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with pytest.raises(OSError) as caught:
            await t.passed_on("replaced", failing(Trouble()))
        assert caught.value.__context__ is None
        assert await t.passed_on("forgotten", failing(Trouble())) is None

    run(main)


def test_old_exception_is_not_taken_for_that_of_a_later_operation(run: Callable[..., Any]) -> None:
    """The thread has ended another call well before it resolves: nobody can say any more what the status stands for."""

    async def main() -> None:
        with pytest.raises(RuntimeError, match="CAW_EPYTHON"):
            await t.passed_on("thread, late", failing(Trouble()))

    run(main)


def test_what_is_awaited_in_place_and_resolves_a_promise_ends_both_awaiters(run: Callable[..., Any]) -> None:
    async def main() -> None:
        error = Trouble()
        relays, ends = t.relayed(failing_later(error))
        task = spawn(ends)
        await turn()
        await turn()
        assert await relays is None
        assert await ended(task) is error

    run(main)


@pytest.mark.parametrize("way", ["blocking", "work", "task", "thread", "nested tasks", "detached task"])
def test_c_code_reads_the_exception_of_any_of_them(run: Callable[..., Any], way: str) -> None:
    async def main() -> None:
        error = Trouble()
        assert await t.exception_of(way, failing(error)) == (EPYTHON, error)

    run(main)


@pytest.mark.parametrize("way", CALLS)
def test_dropped_awaiter_drops_the_exception(run: Callable[..., Any], way: str) -> None:
    async def dropped() -> weakref.ref[Trouble]:
        error = Trouble(way)
        ref = weakref.ref(error)
        coroutine = t.passed_on(way, failing(error))
        try:
            coroutine.send(None)
        except Trouble:
            pass  # it had ended at once
        coroutine.close()
        return ref

    async def main() -> None:
        ref = await dropped()
        for _ in range(1000):
            if ref() is None:
                break
            gc.collect()
            await t.sleep(0.001)
        assert ref() is None

    run(main)


@since_311
def test_groups_hold_the_exceptions_of_all_that_failed(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        errors = [Trouble(way) for way in CALLS]
        with pytest.raises(ExceptionGroup) as caught:  # noqa: F821
            async with asyncio.TaskGroup() as group:
                both = [t.passed_on("join", failing(error)) for error in errors[:1]]
                for coroutine in both:
                    group.create_task(coroutine)
        assert list(caught.value.exceptions) == errors[:1]
        results = await asyncio.gather(
            *(t.passed_on(way, failing(error)) for way, error in zip(CALLS, errors)), return_exceptions=True
        )
        assert results == errors

    run_asyncio(main)
