"""Rows about trio: operations that another thread completes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import _cawait_bench as native
import trio
from measure import AsyncSide, Row, alternate_async, compared, ns_since
from rows_await import PERIOD_NS, TASKS, ready, repeat

Operation = Callable[[], Awaitable[Any]]


async def in_nursery(function: Operation, tasks: int, operations: int) -> float:
    """ns per operation when each of so many tasks awaits so many operations, one after the other."""
    begin = time.perf_counter_ns()
    async with trio.open_nursery() as nursery:
        for _ in range(tasks):
            nursery.start_soon(repeat, function, operations)
    return ns_since(begin, tasks * operations)


def side(function: Operation, operations: int) -> AsyncSide:
    """One side of a row."""
    return lambda: in_nursery(function, TASKS, operations)


def checkpoint_side() -> Operation:
    """One turn of the scheduler, without any thread."""
    return trio.lowlevel.checkpoint


def to_thread_side() -> Operation:
    """trio's own thread pool with the cheapest function there is."""
    return partial(trio.to_thread.run_sync, native.nothing)


def run_sync_soon_side() -> Operation:
    """A native thread that takes the GIL and calls TrioToken.run_sync_soon for each."""
    run_sync_soon, complete = trio.lowlevel.current_trio_token().run_sync_soon, native.complete_with_gil
    current_task, reschedule, wait = (
        trio.lowlevel.current_task,
        trio.lowlevel.reschedule,
        trio.lowlevel.wait_task_rescheduled,
    )

    def abort(_: Any) -> Any:
        return trio.lowlevel.Abort.FAILED

    async def operation() -> None:
        task = current_task()
        complete(run_sync_soon, lambda _: reschedule(task), False)
        await wait(abort)

    return operation


def wake(name: str, goal: float, make_baseline: Callable[[], Operation], operations: int, runs: int) -> Row:
    """One row: op(), which a native thread completes, against another way."""

    async def main() -> tuple[list[float], list[float]]:
        native.set_period(PERIOD_NS)
        return await alternate_async(side(native.op, operations), side(make_baseline(), operations), runs)

    ours, baseline = trio.run(main)
    row = {"name": name, "loop": "trio", "goal": goal, "unit": "ns"}
    return compared({**row, "extra": {"tasks": TASKS, "operations": operations}}, ours, baseline)


def wake_1000_checkpoint(quick: bool) -> Iterator[Row]:
    """1 000 tasks; against checkpoint()."""
    yield wake("wake_1000/checkpoint", 0.8, checkpoint_side, 10 if quick else 50, 5 if quick else 11)


def wake_1000_to_thread(quick: bool) -> Iterator[Row]:
    """1 000 tasks; against to_thread.run_sync. Few operations each, because the baseline is slow."""
    yield wake("wake_1000/to_thread", 0.1, to_thread_side, 2 if quick else 10, 3 if quick else 7)


def wake_1000_run_sync_soon(quick: bool) -> Iterator[Row]:
    """1 000 tasks; against the GIL and run_sync_soon."""
    yield wake("wake_1000/run_sync_soon", 0.2, run_sync_soon_side, 5 if quick else 50, 3 if quick else 7)


def ready_beside_trio(quick: bool) -> Iterator[Row]:
    """The rows of ready operations on asyncio, in a program that has imported trio: each await checks whether trio
    runs."""
    for row in ready(quick):
        row.name, row.goal = "ready_beside_trio/async_def", ""
        yield row
