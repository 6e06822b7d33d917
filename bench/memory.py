"""Memory, measured in a process of its own. Called by measure.in_fresh_process; prints one JSON object."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import _cawait_bench as native
from measure import ns_since, run_on

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Bytes of memory that this process uses now (RSS)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def peak() -> int:
    """The most that it has used. Not getrusage's maximum, which a child inherits."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM")


async def bytes_per_operation(n: int) -> dict[str, float]:
    """The growth of the process, divided by n, when n operations suspend as they do under a Task, but without Tasks.

    Each is made and sent None once, so that it starts and yields. Then it is given a callback and a context, as a Task
    would do: one callback and one context for all, because those belong to the Task. So everything of the library is
    counted, with what the allocators add: coroutine, collector's header, park, wake target, the hub's list, and the
    operation's own struct (a promise and a link, malloc). The list that holds them is filled beforehand.
    """
    coroutines: list[object] = [None] * n
    context = contextvars.copy_context()

    def suspend() -> object:
        coroutine = native.held()
        park = coroutine.send(None)
        park._asyncio_future_blocking = False
        park.add_done_callback(callback, context=context)
        return coroutine

    callback = id  # any callable: it is never called
    first = suspend()  # whatever is made only once is made here
    gc.collect()
    before = resident()
    for i in range(n):
        coroutines[i] = suspend()
    figure = (resident() - before) / n
    for coroutine in (first, *coroutines):
        coroutine.close()  # type: ignore[attr-defined]
    await native.burst()  # the operations complete after their coroutines are closed
    return {"bytes": figure}


async def pending(n: int) -> dict[str, float]:
    """n Tasks, each with its own pending operation, memory of the Tasks included; then a native thread completes all.

    Started: every operation is pending and its Task suspended. Completed: every Task is done."""
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    tasks = [loop.create_task(native.held()) for _ in range(n)]
    await asyncio.sleep(0)
    started = time.perf_counter()
    resident_started = resident()
    count, burst_ns = await native.burst()
    await asyncio.sleep(0)
    done = sum(task.done() for task in tasks)
    completed = time.perf_counter()
    if count != n or done != n:
        raise RuntimeError(f"{n} operations: {count} completed, {done} tasks done")
    return {
        "peak_mb": peak() / 1e6,
        "pending_mb": resident_started / 1e6,
        "start_s": started - begin,
        "complete_s": completed - started,
        "produce_ns": burst_ns / n,
    }


async def sleeps(run: Callable[[], Awaitable[object]], n: int) -> dict[str, float]:
    """n sleeps that are all pending at once: for each of them the time until all have ended, and the memory that the
    process used at most."""
    before = resident()
    begin = time.perf_counter_ns()
    await run()
    return {"ns": ns_since(begin, n), "bytes": (peak() - before) / n}


async def all_sleeps(n: int) -> dict[str, float]:
    """Sleeps in C, which one task awaits."""
    return await sleeps(lambda: native.all_sleeps(n), n)


def delay_of(i: int) -> float:
    """Seconds: from 1 to 21 ms in no order, as in many.c."""
    return 0.001 + i * 7919 % 20000 / 1e6


async def gather_sleeps(n: int) -> dict[str, float]:
    """asyncio.sleep, gathered."""

    return await sleeps(lambda: asyncio.gather(*[asyncio.sleep(delay_of(i)) for i in range(n)]), n)


FUNCTIONS = {
    "bytes": bytes_per_operation,
    "pending": pending,
    "all_sleeps": all_sleeps,
    "gather_sleeps": gather_sleeps,
}


def main() -> None:
    """memory.py FUNCTION LOOP N"""
    function, loop, n = sys.argv[1:]
    print(json.dumps(run_on(loop, FUNCTIONS[function](int(n)))))


if __name__ == "__main__":
    main()
