"""C awaits Python from elsewhere: native threads, futures on the pool, beside other futures, on other loops."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import _cawait_test as t
from support.common import Steps, Value, cancellation, ended, sleep, spawn, turn

value = Value()
EPYTHON = -4104
ECANCELED = -125
variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)


async def at_once() -> Value:
    return value


async def after_a_time() -> Value:
    await sleep(0.001)
    return value


async def failing(error: BaseException) -> None:
    await turn()
    raise error


class Trouble(Exception):
    """An exception with a state."""


WAYS = {"posted": t.posted, "beside a timer": lambda one: first_of_all(one), "spawned": t.spawned}


async def first_of_all(awaitable: Any) -> Any:
    return (await t.all(awaitable, 100))[0]


# --- values and errors ---


@pytest.mark.parametrize("way", ["posted", "beside a timer"])
@pytest.mark.parametrize("awaitable", [at_once, after_a_time, lambda: t.await_(after_a_time()), lambda: t.ready(value)])
def test_value_comes_back(run: Callable[..., Any], way: str, awaitable: Callable[[], Any]) -> None:
    async def main() -> None:
        assert await WAYS[way](awaitable()) is value

    run(main)


@pytest.mark.parametrize("make", [t.posted, t.await_shielded])
def test_repr_says_that_it_runs_as_a_task(run: Callable[..., Any], make: Callable[..., Any]) -> None:
    async def main() -> None:
        outer = make(sleep(0.01))
        task = spawn(outer)
        while not outer.cr_suspended:
            await turn()
        assert "(python.await as a task, suspended)" in repr(outer)
        assert await ended(task) is None

    run(main)


def test_none_comes_back(run: Callable[..., Any]) -> None:
    async def main() -> None:
        assert await t.posted(sleep(0)) is None
        assert await t.all(sleep(0), sleep(0)) == (None, None)

    run(main)


def test_many_beside_each_other_run_at_the_same_time(run: Callable[..., Any]) -> None:
    async def main() -> None:
        inside = most = 0

        async def count() -> int:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await sleep(0.001)
            inside -= 1
            return 1

        assert await t.all(*(count() for _ in range(100))) == (1,) * 100
        assert most == 100

    run(main)


@pytest.mark.parametrize("way", WAYS)
def test_exception_is_the_same_object(run: Callable[..., Any], way: str) -> None:
    async def main() -> None:
        error = Trouble("a", 2)
        error.__cause__ = ZeroDivisionError("cause")
        with pytest.raises(Trouble) as caught:
            await WAYS[way](failing(error))
        assert caught.value is error and isinstance(error.__cause__, ZeroDivisionError)

    run(main)


@pytest.mark.parametrize("way", ["posted", "beside a timer"])
def test_future_of_a_thread_pool_is_awaited(run: Callable[..., Any], way: str) -> None:
    async def main() -> None:
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            assert await WAYS[way](executor.submit(lambda: value)) is value
            assert await t.await_(executor.submit(lambda: value)) is value
            with pytest.raises(ZeroDivisionError):
                await t.await_(executor.submit(lambda: 1 / 0))
            done = executor.submit(lambda: value)
            done.result()
            assert await t.await_(done) is value

    run(main)


def test_task_that_was_there_is_awaited_and_one_of_another_loop_is_an_error(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        assert await t.posted(asyncio.ensure_future(after_a_time())) is value
        other = asyncio.new_event_loop()
        try:
            with pytest.raises(RuntimeError, match="attached to a different event loop"):
                await t.posted(other.create_future())
        finally:
            other.close()

    run_asyncio(main)


@types.coroutine
def by_generator() -> Iterator[Any]:
    yield from after_a_time().__await__()
    return value


class WithAwait:
    def __await__(self) -> Iterator[Any]:
        yield from after_a_time().__await__()
        return value


@pytest.mark.parametrize(
    "awaitable", [by_generator, WithAwait, lambda: after_a_time().__await__(), lambda: WithAwait().__await__()]
)
def test_value_of_what_is_no_coroutine_comes_back(run: Callable[..., Any], awaitable: Callable[[], Any]) -> None:
    async def main() -> None:
        assert await t.posted(awaitable()) is value
        assert await first_of_all(awaitable()) is value

    run(main)


def test_call_where_nobody_said_which_loop_is_an_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="CAW_ENOREACTOR"):
            await t.spawned_without_scope(None)

    run(main)


def test_hundred_thousand_at_once_all_end(run: Callable[..., Any], kind: str) -> None:
    n = 100_000 if kind in ("asyncio", "uvloop") else 5_000

    async def main() -> None:
        assert sum(await t.all(*(number(k) for k in range(n)))) == n * (n - 1) // 2

    async def number(k: int) -> int:
        await turn()
        return k

    run(main)


def test_what_cannot_be_awaited_is_a_type_error_at_once(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for bad in (3, None, [], at_once):
            with pytest.raises(TypeError, match="can't be used in 'await' expression"):
                await t.posted(bad)

    run(main)


def test_coroutine_that_was_awaited_already_is_an_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        one = at_once()
        await one
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await t.posted(one)

    run(main)


# --- context ---


def test_awaitable_runs_in_a_copy_of_the_context_in_which_the_locals_were_made(run: Callable[..., Any]) -> None:
    async def read_and_set() -> int:
        await turn()
        number = variable.get()
        variable.set(99)
        return number

    async def main() -> None:
        variable.set(5)
        assert await t.posted(read_and_set()) == 5
        assert await first_of_all(read_and_set()) == 5
        assert variable.get() == 5

    run(main)


def test_call_runs_in_that_context_sync_or_not(run: Callable[..., Any]) -> None:
    async def later() -> int:
        await turn()
        return variable.get()

    async def main() -> None:
        variable.set(6)
        assert await t.call_from_thread(variable.get, 3) == (18, 0)
        assert await t.call_from_thread(later, 3) == (18, 0)

    run(main)


# --- calls ---


def test_call_from_a_native_thread_runs_on_the_loops_thread(run: Callable[..., Any]) -> None:
    async def main() -> None:
        here, seen = threading.get_ident(), set()

        def call() -> int:
            seen.add(threading.get_ident())
            return 1

        assert await t.call_from_thread(call, 100) == (100, 0)
        assert seen == {here}

    run(main)


@pytest.mark.parametrize("way", [t.called, t.called_without_gil])
def test_call_in_a_coroutine_knows_where(run: Callable[..., Any], way: Callable[..., Any]) -> None:
    async def main() -> None:
        variable.set(7)
        assert await way(variable.get) == 7
        assert await way(lambda: after_a_time()) is value
        with pytest.raises(ZeroDivisionError):
            await way(lambda: 1 / 0)
        way(print).close()
        task = spawn(way(lambda: sleep(60)))
        await turn()
        await turn()
        task.cancel()
        assert await ended(task) == "cancelled"

    run(main)


@pytest.mark.parametrize("way", [t.called, t.called_without_gil])
def test_call_where_no_loop_runs_is_an_error(way: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        way(print).send(None)


def test_call_that_raises_or_returns_what_cannot_be_taken_ends_with_a_status(run: Callable[..., Any]) -> None:
    async def main() -> None:
        assert await t.call_from_thread(lambda: 1 / 0, 3) == (0, EPYTHON)
        assert await t.call_from_thread(lambda: "text", 3) == (0, EPYTHON)
        assert await t.call_from_thread(lambda: failing(Trouble()), 3) == (0, EPYTHON)
        assert await t.call_from_thread(lambda: at_once(), 3) == (0, EPYTHON)

    run(main)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_call_that_ends_the_program_ends_the_loop_and_the_future(
    new_loop: Callable[[], asyncio.AbstractEventLoop], kind: type[BaseException]
) -> None:
    def leave() -> None:
        raise kind("from a call")

    async def main() -> None:
        nonlocal holder
        holder = t.Holder(leave)
        holder.call_later(100)
        await asyncio.sleep(60)

    holder: Any = None
    loop = new_loop()
    task = loop.create_task(main())
    with pytest.raises(kind, match="from a call"):
        loop.run_until_complete(task)
    assert holder.join() == EPYTHON
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)


# --- cancellation ---


def test_cancelled_future_cancels_the_task_and_waits_for_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        steps = Steps()
        task = spawn(t.posted(steps(60)))
        while not steps.seen:
            await turn()
        task.cancel()
        assert await ended(task) == "cancelled"
        assert steps.seen == ["begun", cancellation().__name__]

    run(main)


@pytest.mark.parametrize("way", WAYS)
def test_dropped_future_cancels_the_task(run: Callable[..., Any], way: str) -> None:
    async def main() -> None:
        steps = Steps()
        task = spawn(WAYS[way](steps(60)))
        while not steps.seen:
            await turn()
        task.cancel()
        assert await ended(task) == "cancelled"
        del task
        gc.collect()
        while len(steps.seen) < 2:
            await sleep(0.001)
        assert steps.seen == ["begun", cancellation().__name__]

    run(main)


def test_calls_that_are_cancelled_and_dropped_close_to_their_end_leave_nothing(run: Callable[..., Any]) -> None:
    """The checks after the test fail if anything is left."""
    inside = 0

    async def turn_once() -> None:
        nonlocal inside
        inside += 1
        try:
            await turn()
        finally:
            inside -= 1

    async def main() -> None:
        for function in (at_once, turn_once, lambda: value):
            await t.cancel_around_the_end(function, 300)
        while inside:
            await turn()

    run(main)


def test_task_that_is_cancelled_by_others_ends_the_wait(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        mine: list[asyncio.Task[Any]] = []

        async def visible() -> None:
            mine.append(asyncio.current_task())  # type: ignore[arg-type]
            await asyncio.sleep(60)

        one = asyncio.ensure_future(t.posted(visible()))
        two = t.Holder(visible)
        two.call_later(0)
        while len(mine) < 2:
            await asyncio.sleep(0.001)
        for task in mine:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        await asyncio.sleep(0.01)
        assert two.join() == ECANCELED

    run_asyncio(main)
