"""Rows about the producer: the cost of completing an operation for the native thread that does it."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import threading
from collections.abc import Iterator

import _cawait_bench as native
from measure import LOOPS, Row, alternate_async, compared, run_on, spread_of


async def burst_ns(n: int) -> float:
    """ns per caw_promise_resolve. n operations are pending, each awaited by a task. A native thread completes them all
    at once, while the loop runs as usual: it waits in its selector, then it resumes the tasks."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(native.held()) for _ in range(n)]
    await asyncio.sleep(0)  # all of them start, and suspend
    count, took_ns = await native.burst()
    if count != n:
        raise RuntimeError(f"{count} operations were pending, not {n}")
    await asyncio.gather(*tasks)
    return took_ns / n


@contextlib.contextmanager
def gil_hog() -> Iterator[None]:
    """Meanwhile a Python thread computes, and releases the GIL only when it must."""
    stop = False

    def hog() -> None:
        count = 0
        while not stop:
            count += 1

    thread = threading.Thread(target=hog)
    thread.start()
    try:
        yield
    finally:
        stop = True
        thread.join()


async def burst_ns_hogged(n: int) -> float:
    """burst_ns with a hog."""
    with gil_hog():
        return await burst_ns(n)


def produce(quick: bool) -> Iterator[Row]:
    """ns per completion in a burst; there is no baseline."""
    n, runs = (5_000, 7) if quick else (20_000, 21)

    async def main() -> list[float]:
        return [await burst_ns(n) for _ in range(runs + 1)][1:]

    for loop in LOOPS:
        ours = run_on(loop, main())
        extra = {"runs": runs, "burst": n, "ours_min": min(ours)}
        middle = statistics.median(ours)
        yield Row("produce/ns", "ns", middle, 100, loop, spread=spread_of(ours), extra=extra)


def produce_gil_hog(quick: bool) -> Iterator[Row]:
    """The same while a Python thread hogs the GIL, against without it."""
    n, runs = (5_000, 5) if quick else (20_000, 15)

    async def main() -> tuple[list[float], list[float]]:
        return await alternate_async(lambda: burst_ns_hogged(n), lambda: burst_ns(n), runs)

    for loop in LOOPS:
        row = {"name": "produce_gil_hog/produce", "unit": "ns", "loop": loop, "goal": 1.2, "extra": {"burst": n}}
        yield compared(row, *run_on(loop, main()))
