"""Rows about streams: C streams that Python iterates, and Python iterables that C code consumes."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import _cawait_bench as native
from measure import LOOPS, Row, alternate_async, compared, ns_since, run_on

try:
    import janus
except ImportError:  # `make bench` has it; a bench folder used by itself may not
    janus = None

ITEMS = 1000
SLOTS = 1024
"""The size of the queues between a thread and the loop, as in streams.c."""


NUMBERS = [number % 256 for number in range(ITEMS)]
"""The items of rows whose items are there: small ints, which Python does not allocate, so that only the way is
measured."""


async def numbers() -> AsyncIterator[int]:
    """The baseline: an async generator of Python."""
    for number in NUMBERS:
        yield number


async def ns_each(iterable: AsyncIterator[Any], n: int) -> float:
    """ns per item of n."""
    begin = time.perf_counter_ns()
    async for _ in iterable:
        pass
    return ns_since(begin, n)


async def ns_each_of_lists(iterable: AsyncIterator[list[Any]], n: int) -> float:
    """The same for items that come in lists."""
    begin = time.perf_counter_ns()
    async for some in iterable:
        for _ in some:
            pass
    return ns_since(begin, n)


# --- items that are there: nothing suspends, so the loop makes no difference ---


async def mean_of(run: Callable[[], Awaitable[float]]) -> float:
    """The mean of ten runs in a row. A collection before them has emptied the caches, which the first run fills
    again."""
    return sum([await run() for _ in range(10)]) / 10


def beside_async_gen(row: dict[str, Any], ours: Callable[[], Awaitable[float]], quick: bool) -> Row:
    """A row against `async for` over an async generator."""
    runs = 5 if quick else 101
    main = alternate_async(lambda: mean_of(ours), lambda: mean_of(lambda: ns_each(numbers(), ITEMS)), runs)
    return compared({"unit": "ns", **row}, *run_on("asyncio", main))


def stream(quick: bool) -> Iterator[Row]:
    """`async for` over a channel that is full of numbers, against an async generator of the same."""
    row = {"name": "stream/async_gen", "goal": 0.6}
    yield beside_async_gen(row, lambda: ns_each(native.numbers(ITEMS), ITEMS), quick)


def stream_batch(quick: bool) -> Iterator[Row]:
    """The same in lists of 64. The figure holds both the cost of getting the lists and that of iterating each of
    them."""
    lists = native.number_lists
    got = {"name": "stream_batch/async_gen", "goal": 0.1}
    yield beside_async_gen(got, lambda: ns_each(lists(ITEMS), ITEMS), quick)
    iterated = {"name": "stream_batch/async_gen", "goal": "", "variant": "lists iterated"}
    yield beside_async_gen(iterated, lambda: ns_each_of_lists(lists(ITEMS), ITEMS), quick)


async def sum_in_python(iterable: AsyncIterator[int]) -> int:
    """The same as native.sum."""
    total = 0
    async for number in iterable:
        total += number
    return total


async def ns_to_sum(add_up: Callable[[AsyncIterator[int]], Awaitable[int]]) -> float:
    """ns per number."""
    begin = time.perf_counter_ns()
    total = await add_up(numbers())
    taken = ns_since(begin, ITEMS)
    if total != sum(NUMBERS):
        raise RuntimeError(f"the sum is {total}")
    return taken


def stream_from_py(quick: bool) -> Iterator[Row]:
    """A Python async generator whose numbers C code adds up in place, against `async for`."""
    main = alternate_async(
        lambda: mean_of(lambda: ns_to_sum(native.sum)),
        lambda: mean_of(lambda: ns_to_sum(sum_in_python)),
        5 if quick else 101,
    )
    yield compared({"name": "stream_from_py/async_gen", "unit": "ns", "goal": 1.2}, *run_on("asyncio", main))


# --- from a thread ---


async def through_channel(n: int) -> float:
    """Our side: a native thread that waits where the channel is full."""
    begin = time.perf_counter_ns()
    async for _ in native.produced(n):
        pass
    return ns_since(begin, n)


async def through_janus(n: int) -> float:
    """A thread of Python and a janus.Queue."""
    begin = time.perf_counter_ns()
    queue: janus.Queue[int] = janus.Queue(maxsize=SLOTS)

    def produce() -> None:
        for number in range(n):
            queue.sync_q.put(number)

    thread = threading.Thread(target=produce)
    thread.start()
    for _ in range(n):
        await queue.async_q.get()
    taken = ns_since(begin, n)
    thread.join()
    await queue.aclose()
    return taken


async def take_all(start: Callable[[Callable[[int], None]], Any], n: int) -> float:
    """Take n items out of an asyncio.Queue; `start` is called with the function that puts one in."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    begin = time.perf_counter_ns()
    started = start(queue.put_nowait)
    for _ in range(n):
        await queue.get()
    taken = ns_since(begin, n)
    await started
    return taken


async def through_thread(n: int) -> float:
    """A Python thread puts in each item by call_soon_threadsafe. Nothing bounds the queue."""
    call_soon_threadsafe = asyncio.get_running_loop().call_soon_threadsafe

    def start(put: Callable[[int], None]) -> Awaitable[None]:
        def produce() -> None:
            for number in range(n):
                call_soon_threadsafe(put, number)

        return asyncio.get_running_loop().run_in_executor(None, produce)

    return await take_all(start, n)


async def through_native_thread(n: int) -> float:
    """The same by a native thread that takes the GIL for each item."""
    call_soon_threadsafe = asyncio.get_running_loop().call_soon_threadsafe

    def start(put: Callable[[int], None]) -> Awaitable[None]:
        return asyncio.ensure_future(native.call_burst_with_gil(call_soon_threadsafe, functools.partial(put, 0), n))

    return await take_all(start, n)


def from_thread(
    name: str, goal: float | None, baseline: Callable[[int], Awaitable[float]], quick: bool, **more: Any
) -> Iterator[Row]:
    """One row for each loop."""
    n = 2_000 if quick else 20_000
    for loop in LOOPS:
        native.set_period(0)  # the worker begins at once
        main = alternate_async(lambda: through_channel(n), lambda: baseline(n), 3 if quick else 11)
        row = {"name": name, "unit": "ns", "goal": goal, "loop": loop, **more}
        yield compared(row, *run_on(loop, main))


def stream_thread_janus(quick: bool) -> Iterator[Row]:
    """A native thread that sends through 1 024 slots to one task, against a Python thread and a janus.Queue."""
    if janus is None:
        print("stream_thread/janus is left out: there is no janus here", file=sys.stderr)
        return
    yield from from_thread("stream_thread/janus", 0.1, through_janus, quick)


def stream_thread_call_soon(quick: bool) -> Iterator[Row]:
    """The same, against call_soon_threadsafe(queue.put_nowait, item)."""
    name = "stream_thread/call_soon_threadsafe"
    yield from from_thread(name, 0.1, through_thread, quick, variant="from a Python thread")
    yield from from_thread(name, None, through_native_thread, quick, variant="from a native thread")
