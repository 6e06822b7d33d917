"""The rows whose instructions tools/count.py counts. It runs this file under callgrind, as `count_rows.py LAYOUT`.

A call of native.mark() ends a section, and callgrind writes down its counts for it. Each row makes three sections: all
that came before, with a run to warm up; N operations; 2N operations. The cost of one operation is the difference of the
last two, divided by N: what is done once in a run is in both.

Nothing here depends on the time, on another thread or on the collector, so the same program gives the same counts. They
depend a little on where objects lie in memory: there are collisions in dicts and in the cache of attributes, and pools
of the allocator run empty. LAYOUT is a number; another one moves all objects that are allocated later.

Prints the rows in the order of their sections, and how the extension was compiled, as JSON.
"""

from __future__ import annotations

import sys

LAYOUT = int(sys.argv[1])
PADDING = [bytes(16 * size) for size in range(48) for _ in range(7 * LAYOUT)]  # moves the imports too

import asyncio
import gc
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import _cawait_bench as native
from rows_await import TASKS, await_many, repeat, returns_int, returns_none
from rows_await_py import suspends
from rows_stream import ITEMS, numbers

STREAMS = 100
LIST = 60
"""Items of a stream: fewer than the 64 after which a generator reads the clock, and then depends on the time."""


@dataclass
class CountedRow:
    """One row."""

    name: str
    times: int  # the N of the sections is times * operations
    run: Callable[[int], None]
    operations: int = 1
    """How many operations run(1) does."""


def run_without_loop(coroutine: Any) -> None:
    """Run a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("it suspended")


def ready(function: Callable[[], Any]) -> Callable[[int], None]:
    """An operation that is ready at the first poll."""
    return lambda n: run_without_loop(await_many(function, n))


def await_in_place(function: Callable[[], Any]) -> Callable[[int], None]:
    """C code that awaits calls of an async def which returns at once."""
    return lambda n: run_without_loop(native.await_each(function, n))


async def suspend(n: int) -> None:
    """One task that suspends and is resumed n times, while the loop does nothing else."""
    call_soon, complete = asyncio.get_running_loop().call_soon, native.complete_held
    for _ in range(n):
        call_soon(complete)
        await native.held()


async def drain(n: int) -> None:
    """n times: 1 000 tasks suspend, all operations are completed at once, and one drain resumes all tasks."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(repeat(native.held, n)) for _ in range(TASKS)]
    await asyncio.sleep(0)
    for _ in range(n):
        completed = native.complete_held()
        if completed != TASKS:
            raise RuntimeError(f"{completed} operations were pending, not {TASKS}")
        await asyncio.sleep(0)  # the drain is called in the turn after this one
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)


async def items(n: int) -> None:
    """`async for` over channels of n items, each of which is sent and taken."""
    for _ in range(STREAMS):
        async for _ in native.numbers(n):
            pass


async def lists(n: int) -> None:
    """`async for` over n channels that each give one list."""
    for _ in range(n):
        async for _ in native.number_lists(LIST):
            pass


async def sum_of_python(n: int) -> None:
    """An async generator of Python whose 1 000 numbers C adds up, n times."""
    for _ in range(n):
        await native.sum(numbers())


def awaits(run: Callable[[int, bool], None], suspends: bool) -> Callable[[int], None]:
    """A loop of awaits in C, by an async function or by a future written by hand (loops.c)."""
    return lambda n: run(n, suspends)


async def post(n: int) -> None:
    """n calls of an async def are posted, one after the other, as by another thread."""
    await native.post_each(returns_int, n)


def rows(loop: asyncio.AbstractEventLoop) -> Iterable[CountedRow]:
    """All of them."""

    def on_loop(main: Callable[[int], Any]) -> Callable[[int], None]:
        return lambda n: loop.run_until_complete(main(n))

    return (
        CountedRow("ready, None", 2_000, ready(native.ready_none)),
        CountedRow("ready, int", 2_000, ready(native.ready_int)),
        CountedRow("suspend and resume", 200, on_loop(suspend)),
        CountedRow("drain of 1 000 wakes", 2, on_loop(drain), TASKS),
        CountedRow("await in place, None", 2_000, await_in_place(returns_none)),
        CountedRow("await in place, int", 2_000, await_in_place(returns_int)),
        CountedRow("await in place, suspended", 200, on_loop(lambda n: native.await_each(suspends, n))),
        CountedRow("async for, item", LIST // 2, lambda n: run_without_loop(items(n)), STREAMS),
        CountedRow("async for, stream of one list", 100, lambda n: run_without_loop(lists(n))),
        CountedRow("item of a Python iterable", 2, on_loop(sum_of_python), ITEMS),
        CountedRow("posted round trip", 150, on_loop(post)),
        CountedRow("async function in C, await", 2_000, awaits(native.run_routine, False)),
        CountedRow("async function in C, suspend and resume", 2_000, awaits(native.run_routine, True)),
        CountedRow("future by hand, await", 2_000, awaits(native.run_by_hand, False)),
        CountedRow("future by hand, suspend and resume", 2_000, awaits(native.run_by_hand, True)),
    )


def main() -> None:
    """Run them all."""
    gc.disable()
    loop = asyncio.new_event_loop()
    counted = []
    for row in rows(loop):
        row.run(max(1, row.times // 4))
        for times in (row.times, 2 * row.times):
            native.mark()
            row.run(times)
        native.mark()
        counted.append({"name": row.name, "operations": row.times * row.operations})
    loop.close()
    print(json.dumps({"rows": counted, "build": native.BUILD}))


if __name__ == "__main__":
    main()
