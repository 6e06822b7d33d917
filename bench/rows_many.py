"""Rows about many futures at once that one coroutine of Python awaits, and about async functions in C."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

import _cawait_bench as native
from measure import LOOPS, AsyncSide, Row, alternate, alternate_async, compared, in_fresh_process, ns_since, run_on
from rows_await import PERIOD_NS, TASKS, ns_to_run, returns_none
from rows_await_py import AWAITS, await_each

IN_A_ROW = 10
"""So many runs make one figure. A collection before them has emptied the caches, which the first run fills again."""


def async_c(quick: bool) -> Iterator[Row]:
    """An async function in C that awaits 1 000 times what is ready at once, against a coroutine of Python that awaits
    1 000 calls of an async def which returns at once."""
    in_a_row, runs = 2 * IN_A_ROW, 5 if quick else 75

    def mean_of(make: Callable[[], Awaitable[object]]) -> float:
        return sum(ns_to_run(make(), AWAITS) for _ in range(in_a_row)) / in_a_row

    ours, baseline = alternate(
        lambda: mean_of(lambda: native.await_ready(AWAITS)),
        lambda: mean_of(lambda: await_each(returns_none, AWAITS)),
        runs,
    )
    yield compared({"name": "async_c/coroutine", "unit": "ns", "goal": 0.05}, ours, baseline)


def each_of(n: int, run: Callable[[], Awaitable[object]]) -> AsyncSide:
    """One side: ns for each of n, as the mean of some runs in a row."""

    async def side() -> float:
        begin = time.perf_counter_ns()
        for _ in range(IN_A_ROW):
            await run()
        return ns_since(begin, n * IN_A_ROW)

    return side


# --- all of 1 000 ---


async def gather_sleep0() -> None:
    """1 000 coroutines, each of which takes one turn of the loop."""
    await asyncio.gather(*[asyncio.sleep(0) for _ in range(TASKS)])


def all_1000(quick: bool) -> Iterator[Row]:
    """caw_all of 1 000 operations that a native thread completes, in one task, against asyncio.gather of 1 000 sleep(0)
    without any thread."""
    for loop in LOOPS:
        native.set_period(PERIOD_NS)
        sides = each_of(TASKS, lambda: native.all_ops(TASKS)), each_of(TASKS, gather_sleep0)
        row = {"name": "all_1000/gather", "unit": "ns", "goal": 0.1, "loop": loop}
        yield compared(row, *run_on(loop, alternate_async(*sides, 3 if quick else 21)))


# --- 1 000 through one lock ---


def passing(lock: asyncio.Lock) -> Callable[[], Awaitable[None]]:
    """The baseline: take the lock, wait for a turn of the loop while it is held, and give it to the next."""

    async def pass_one() -> None:
        async with lock:
            await asyncio.sleep(0)

    return pass_one


async def gather_passes(pass_one: Callable[[], Awaitable[None]]) -> None:
    """1 000 tasks that each pass once."""
    await asyncio.gather(*[pass_one() for _ in range(TASKS)])


def mutex(quick: bool) -> Iterator[Row]:
    """1 000 pass through one lock, and each suspends for a turn while it holds it. The baseline is 1 000 tasks and an
    asyncio.Lock. Ours is 1 000 async functions in C, in a group that one task awaits: their turns are the group's. For
    comparison, 1 000 tasks that each await the function in C: their turns are the loop's."""
    for loop in LOOPS:

        async def main() -> tuple[tuple[list[float], list[float]], ...]:
            runs = 3 if quick else 11
            baseline = each_of(TASKS, lambda: gather_passes(passing(asyncio.Lock())))
            in_group = each_of(TASKS, lambda: native.pass_all(TASKS))
            in_tasks = each_of(TASKS, lambda: gather_passes(native.pass_one))
            return (
                await alternate_async(in_group, baseline, runs),
                await alternate_async(in_tasks, baseline, runs),
            )

        in_group, in_tasks = run_on(loop, main())
        row = {"name": "mutex/asyncio_lock", "unit": "ns", "loop": loop}
        yield compared({**row, "goal": 0.2, "variant": "functions in C"}, *in_group)
        yield compared({**row, "goal": None, "variant": "tasks of Python"}, *in_tasks)


# --- 1 000 000 sleeps ---


def sleep_1m(quick: bool) -> Iterator[Row]:
    """1 000 000 sleeps of 1 to 21 ms, all pending at once: caw_all in one task, against asyncio.gather. Each run has a
    process of its own: the time until all have ended, and how much memory was used at most. The baseline takes so long
    that it runs once, and disturbances even out; ours is the median of runs before it and after it."""
    n = 50_000 if quick else 1_000_000
    for loop in LOOPS:
        functions = ("all_sleeps", "gather_sleeps", "all_sleeps", "all_sleeps")
        figures = [(function, in_fresh_process(function, loop, n)) for function in functions]
        for unit, variant in (("ns", "time"), ("bytes", "memory")):
            ours = statistics.median(one[unit] for function, one in figures if function == "all_sleeps")
            (baseline,) = (one[unit] for function, one in figures if function == "gather_sleeps")
            row = Row("sleep_1m/asyncio_sleep", unit, ours, 0.1, loop, variant, baseline, ours / baseline)
            row.extra = {"runs": 3, "baseline_runs": 1, "operations": n}
            yield row
