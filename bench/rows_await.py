"""Rows about awaiting: operations that are ready at once, and operations that another thread completes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import _cawait_bench as native
from measure import LOOPS, AsyncSide, Row, alternate, alternate_async, compared, ns_since, run_on

TASKS = 1000
PERIOD_NS = 100_000
"""With many tasks the native thread completes operations in batches, on both sides (worker.c)."""


# --- ready at the first poll ---


async def returns_none() -> None:
    """The baseline: an async def that returns at once."""


async def returns_int() -> int:
    """The same with a value."""
    return 1


async def await_many(function: Callable[[], Awaitable[Any]], n: int) -> None:
    """Make and await n coroutines, ten in a row: so only a tenth of a turn of `for` (15 ns) is added to each, on both
    sides."""
    for _ in range(n // 10):
        await function()
        await function()
        await function()
        await function()
        await function()
        await function()
        await function()
        await function()
        await function()
        await function()


def ns_to_run(coroutine: Any, n: int) -> float:
    """ns per operation of a coroutine that never suspends: it needs no event loop."""
    begin = time.perf_counter_ns()
    try:
        coroutine.send(None)
    except StopIteration:
        return ns_since(begin, n)
    raise RuntimeError("it suspended")


def ready(quick: bool) -> Iterator[Row]:
    """A C future that is ready at the first poll, against an async def that returns at once."""
    n, runs = (20_000, 5) if quick else (50_000, 101)  # short runs, so that a disturbance spoils few of them
    sides = (("None", native.ready_none, returns_none), ("int", native.ready_int, returns_int))
    for variant, ours_function, baseline_function in sides:
        ours, baseline = alternate(
            lambda: ns_to_run(await_many(ours_function, n), n),
            lambda: ns_to_run(await_many(baseline_function, n), n),
            runs,
        )
        row = {"name": "ready/async_def", "unit": "ns", "goal": 0.75, "variant": variant}
        yield compared(row, ours, baseline)


# --- completed by another thread ---


async def repeat(function: Callable[[], Awaitable[Any]], n: int) -> None:
    """One task's work."""
    for _ in range(n):
        await function()


async def in_tasks(function: Callable[[], Awaitable[Any]], tasks: int, operations: int) -> float:
    """ns per operation when each of so many tasks awaits so many operations, one after the other."""
    loop = asyncio.get_running_loop()
    begin = time.perf_counter_ns()
    started = [loop.create_task(repeat(function, operations)) for _ in range(tasks)]
    await asyncio.gather(*started)
    return ns_since(begin, tasks * operations)


def side(function: Callable[[], Awaitable[Any]], tasks: int, operations: int) -> AsyncSide:
    """One side of a wake row."""
    return lambda: in_tasks(function, tasks, operations)


def sleep0_side() -> Callable[[], Awaitable[Any]]:
    """One turn of the loop, without any thread."""
    return lambda: asyncio.sleep(0)


def executor_side() -> Callable[[], Awaitable[Any]]:
    """The loop's own thread pool with the cheapest function there is."""
    loop = asyncio.get_running_loop()
    return lambda: loop.run_in_executor(None, native.nothing)


def gil_side(keep: bool = False) -> Callable[[], Awaitable[Any]]:
    """A native thread that takes the GIL and calls call_soon_threadsafe(future.set_result, None)."""
    loop = asyncio.get_running_loop()
    create_future, call_soon_threadsafe, complete = (
        loop.create_future,
        loop.call_soon_threadsafe,
        native.complete_with_gil,
    )

    def operation() -> Awaitable[None]:
        future = create_future()
        complete(call_soon_threadsafe, future.set_result, keep)
        return future

    return operation


Maker = Callable[[], Callable[[], Awaitable[Any]]]


def wake(row: dict[str, Any], make_baseline: Maker, tasks: int, operations: int, runs: int) -> Row:
    """One row: op(), which a native thread completes, against another way."""

    async def main() -> tuple[list[float], list[float]]:
        native.set_period(PERIOD_NS if tasks > 1 else 0)
        return await alternate_async(
            side(native.op, tasks, operations), side(make_baseline(), tasks, operations), runs
        )

    ours, baseline = run_on(row["loop"], main())
    return compared({"unit": "ns", **row, "extra": {"tasks": tasks, "operations": operations}}, ours, baseline)


def wake_1000_sleep0(quick: bool) -> Iterator[Row]:
    """1 000 tasks; against sleep(0)."""
    for loop in LOOPS:
        row = {"name": "wake_1000/sleep0", "loop": loop, "goal": 0.8}
        yield wake(row, sleep0_side, TASKS, 20 if quick else 100, 5 if quick else 15)


def wake_1000_executor(quick: bool) -> Iterator[Row]:
    """1 000 tasks; against run_in_executor. 50 operations each, because the baseline is slow."""
    for loop in LOOPS:
        row = {"name": "wake_1000/run_in_executor", "loop": loop, "goal": 0.1}
        yield wake(row, executor_side, TASKS, 5 if quick else 50, 3 if quick else 7)


def wake_1000_gil(quick: bool) -> Iterator[Row]:
    """1 000 tasks; against the GIL and call_soon_threadsafe."""
    for loop in LOOPS:
        goal = 0.25 if loop == "uvloop" else 0.07
        row = {"name": "wake_1000/call_soon_threadsafe", "loop": loop, "goal": goal}
        yield wake(row, gil_side, TASKS, 5 if quick else 100, 3 if quick else 7)
        row.update(goal=None, variant="thread state kept")
        yield wake(row, lambda: gil_side(True), TASKS, 5 if quick else 100, 3 if quick else 7)


def wake_1_gil(quick: bool) -> Iterator[Row]:
    """One task, one operation at a time: the round trip."""
    for loop in LOOPS:
        goal = 0.75 if loop == "uvloop" else 0.6
        row = {"name": "wake_1/call_soon_threadsafe", "loop": loop, "goal": goal}
        yield wake(row, gil_side, 1, 500 if quick else 2_000, 5 if quick else 15)
