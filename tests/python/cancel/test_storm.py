"""Cancels within a millisecond of the completion, 10 000 on each framework: no await ends twice, and nothing is lost.

Native threads complete the operations one by one. Each waiting task is cancelled shortly before or after that.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import trio

import _cawait_test as t
from support.common import wait_until
from support.frameworks import make_loop, run_on_loop
from support.kinds import each_kind

BATCHES, BATCH = 25, 400
RESOLVERS = 4  # native threads for each batch
GAP_MICROSECONDS = 20  # between two completions by one thread
# How many completions lie between an operation's cancel and its completion: less than a millisecond, by the median.
LEAD = 25

# Each policy, and each way in which the native side may react.
WAYS = [
    ("wait", "none"),
    ("wait", "resolves"),
    ("wait", "value"),
    ("wait", "ignored"),
    ("wait_detached", "ignored"),
    ("wait_shielded", "none"),
    ("wait_shielded", "ignored"),
    ("wait_value_wins", "ignored"),
    ("wait_value_wins", "value"),
    ("wait_thrown", "resolves"),
]


class Storm:
    """A batch of operations: how each await ended, and when each task is cancelled."""

    def __init__(self, chance: random.Random) -> None:
        self.ways = [WAYS[n % len(WAYS)] for n in range(BATCH)]
        self.ops = [t.Op(n, on_cancel=on_cancel) for n, (_, on_cancel) in enumerate(self.ways)]
        self.leads = [chance.randint(-LEAD, LEAD) for _ in range(BATCH)]
        self.ends: Counter[int] = Counter()
        self.outcomes: Counter[str] = Counter()

    async def wait(self, n: int, cancelled: type[BaseException]) -> None:
        """The n-th await: its own value, or the cancellation, or the native side's exception for that."""
        outcome = "neither"
        try:
            value = await getattr(self.ops[n], self.ways[n][0])()
            assert value == n
            outcome = "value"
        except cancelled:
            outcome = "cancelled"
            raise
        finally:
            self.ends[n] += 1
            self.outcomes[outcome] += 1

    def resolve(self) -> None:
        """Complete all operations from native threads, once they are started: each thread completes its share, one by
        one."""
        for k in range(RESOLVERS):
            share = self.ops[k::RESOLVERS]
            t.resolve_many(share, 0, GAP_MICROSECONDS)

    def check(self) -> None:
        """Every await has ended once; all operations that were started are completed and freed."""
        assert self.outcomes["neither"] == 0
        assert sorted(self.ends) == list(range(BATCH)) and set(self.ends.values()) == {1}
        wait_until(lambda: all(op.freed == 1 for op in self.ops))
        assert all(op.started == op.resolved == 1 for op in self.ops)
        assert all(op.cancelled <= 1 for op in self.ops)

    async def cancel_all(self, cancel: list[Callable[[], Any]], turn: Callable[[], Any]) -> None:
        """Cancel each operation when about as many are completed as come before it: at most LEAD fewer or more. So the
        cancels keep step with the completions, however slow the machine is."""
        completed = 0  # all before this index are completed
        times = [n + lead for n, lead in enumerate(self.leads)]
        for n in sorted(range(BATCH), key=times.__getitem__):
            while completed < min(times[n], BATCH):
                await turn()
                while completed < BATCH and self.ops[completed].resolved:
                    completed += 1
            cancel[n]()


# --- one batch on each framework ---


async def until_started(storm: Storm, turn: Callable[[], Any]) -> None:
    """Let all tasks reach their first suspension."""
    while not all(op.started for op in storm.ops):
        await turn()


async def on_asyncio(storm: Storm) -> None:
    tasks = [asyncio.ensure_future(storm.wait(n, asyncio.CancelledError)) for n in range(BATCH)]
    await until_started(storm, partial(asyncio.sleep, 0))
    storm.resolve()
    await storm.cancel_all([task.cancel for task in tasks], partial(asyncio.sleep, 0))
    await asyncio.wait(tasks)
    assert all(task.cancelled() or task.exception() is None for task in tasks)


async def in_scopes(storm: Storm, library: Any, open_group: Callable[[], Any], cancelled: type[BaseException]) -> None:
    scopes = [library.CancelScope() for _ in range(BATCH)]

    async def one(n: int) -> None:
        with scopes[n]:
            await storm.wait(n, cancelled)

    async with open_group() as group:
        for n in range(BATCH):
            group.start_soon(one, n)
        await until_started(storm, library.lowlevel.checkpoint)
        storm.resolve()
        await storm.cancel_all([scope.cancel for scope in scopes], library.lowlevel.checkpoint)


async def on_trio(storm: Storm) -> None:
    await in_scopes(storm, trio, trio.open_nursery, trio.Cancelled)


async def on_anyio(storm: Storm) -> None:
    await in_scopes(storm, anyio, anyio.create_task_group, anyio.get_cancelled_exc_class())


def run_debug(kind: str, errors: list[Any], async_fn: Callable[..., Any]) -> None:
    """On a loop in debug mode, which checks more. Its reports of slow callbacks are no errors."""
    loop = make_loop(kind, errors)
    loop.slow_callback_duration = 60
    loop.set_debug(True)
    run_on_loop(loop, async_fn)


def run_anyio(backend: str, errors: list[Any], async_fn: Callable[..., Any]) -> None:
    options = {"debug": True, "loop_factory": lambda: make_loop("asyncio", errors)} if backend == "asyncio" else {}
    anyio.run(async_fn, backend=backend, backend_options=options)


FRAMEWORKS: dict[str, tuple[Callable[..., Any], Callable[[Storm], Any]]] = {
    "asyncio+debug": (lambda *args: run_debug("asyncio", *args), on_asyncio),
    "uvloop": (lambda *args: run_debug("uvloop", *args), on_asyncio),
    "trio": (lambda errors, async_fn: trio.run(async_fn), on_trio),
    "anyio/asyncio": (lambda *args: run_anyio("asyncio", *args), on_anyio),
    "anyio/trio": (lambda *args: run_anyio("trio", *args), on_anyio),
}


@each_kind("kind", FRAMEWORKS)
def test_each_of_ten_thousand_awaits_ends_once_and_nothing_is_left(kind: str, loop_errors: list[Any]) -> None:
    run, batch = FRAMEWORKS[kind]
    outcomes: Counter[str] = Counter()

    async def main() -> None:
        chance = random.Random(5)
        for _ in range(BATCHES):
            storm = Storm(chance)
            await batch(storm)
            storm.check()
            outcomes.update(storm.outcomes)

    before = t.live_futures()
    run(loop_errors, main)
    assert sum(outcomes.values()) == BATCHES * BATCH
    assert min(outcomes["value"], outcomes["cancelled"]) > BATCHES * BATCH / 100  # else there was no race
    assert loop_errors == [] and t.live_futures() == before
