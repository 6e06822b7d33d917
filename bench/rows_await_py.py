"""Rows about C code that awaits Python: in place, and from a native thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import _cawait_bench as native
from measure import LOOPS, Row, alternate, alternate_async, compared, ns_since, run_on
from rows_await import ns_to_run, returns_int, returns_none

AWAITS = 1000


async def await_each(function: Callable[[], Awaitable[Any]], n: int) -> None:
    """The same as the C coroutine, in Python."""
    for _ in range(n):
        await function()


async def wrapper(awaitable: Awaitable[Any]) -> Any:
    """An async def around an awaitable."""
    return await awaitable


async def wrap_each(wrap: Callable[[Any], Awaitable[Any]], n: int) -> None:
    """A new coroutine around each call, ten in a row."""
    for _ in range(n // 10):
        await wrap(returns_int())
        await wrap(returns_int())
        await wrap(returns_int())
        await wrap(returns_int())
        await wrap(returns_int())
        await wrap(returns_int())
        await wrap(returns_int())
        await wrap(returns_int())
        await wrap(returns_int())
        await wrap(returns_int())


def await_py(quick: bool) -> Iterator[Row]:
    """One coroutine that awaits 1 000 calls of an async def which returns at once."""
    runs = 11 if quick else 301
    for variant, function in (("None", returns_none), ("int", returns_int)):
        ours, baseline = alternate(
            lambda: ns_to_run(native.await_each(function, AWAITS), AWAITS),
            lambda: ns_to_run(await_each(function, AWAITS), AWAITS),
            runs,
        )
        yield compared(
            {"name": "await_py/async_def", "unit": "ns", "goal": 1.2, "variant": variant}, ours, baseline
        )


def await_py_wrap(quick: bool) -> Iterator[Row]:
    """A new coroutine around each call of an async def."""
    n, runs = (10_000, 5) if quick else (20_000, 51)
    ours, baseline = alternate(
        lambda: ns_to_run(wrap_each(native.wrap, n), n), lambda: ns_to_run(wrap_each(wrapper, n), n), runs
    )
    yield compared({"name": "await_py_wrap/async_def", "unit": "ns", "goal": 1.3}, ours, baseline)


async def suspends() -> None:
    """An async def that suspends once."""
    await asyncio.sleep(0)


async def timed(coroutine: Awaitable[Any]) -> float:
    """ns per await."""
    begin = time.perf_counter_ns()
    await coroutine
    return ns_since(begin, AWAITS)


def await_py_suspend(quick: bool) -> Iterator[Row]:
    """The first row with one sleep(0) in each call."""

    async def main() -> tuple[list[float], list[float]]:
        return await alternate_async(
            lambda: timed(native.await_each(suspends, AWAITS)),
            lambda: timed(await_each(suspends, AWAITS)),
            5 if quick else 51,
        )

    for loop in LOOPS:
        row = {"name": "await_py_suspend/async_def", "unit": "ns", "goal": 1.1, "loop": loop}
        yield compared(row, *run_on(loop, main()))


def posted(quick: bool) -> Iterator[Row]:
    """A native thread runs an async def on the loop and waits for it, again and again. The baseline is a Python thread
    that does the same by run_coroutine_threadsafe."""
    n = 200 if quick else 1000

    async def ours() -> float:
        begin = time.perf_counter_ns()
        await native.call_in_turn(returns_int, n)
        return ns_since(begin, n)

    async def baseline() -> float:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def in_thread() -> None:
            for _ in range(n):
                asyncio.run_coroutine_threadsafe(returns_int(), loop).result()
            loop.call_soon_threadsafe(done.set)

        begin = time.perf_counter_ns()
        threading.Thread(target=in_thread).start()
        await done.wait()
        return ns_since(begin, n)

    for loop in LOOPS:
        row = {"name": "posted/run_coroutine_threadsafe", "unit": "ns", "goal": 0.2, "loop": loop}
        yield compared(row, *run_on(loop, alternate_async(ours, baseline, 3 if quick else 15)))


def call(quick: bool) -> Iterator[Row]:
    """A burst of 10 000 calls of a Python function by a native thread, against call_soon_threadsafe with the GIL."""
    n = 2_000 if quick else 10_000

    def count() -> None:
        nonlocal counted
        counted += 1

    counted = 0

    async def all_counted(start: Callable[[], Awaitable[None]]) -> float:
        nonlocal counted
        counted = 0
        begin = time.perf_counter_ns()
        await start()
        while counted < n:
            await asyncio.sleep(0)
        return ns_since(begin, n)

    async def ours() -> float:
        return await all_counted(lambda: native.call_burst(count, n))

    async def baseline() -> float:
        loop = asyncio.get_running_loop()
        return await all_counted(lambda: native.call_burst_with_gil(loop.call_soon_threadsafe, count, n))

    for loop in LOOPS:
        row = {"name": "call/call_soon_threadsafe", "unit": "ns", "goal": 0.2, "loop": loop}
        yield compared(row, *run_on(loop, alternate_async(ours, baseline, 3 if quick else 9)))
