"""The reactor's timers, awaited from Python: they end in order, can be cancelled at once, and run by the thousand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import cancellation, cancelled, results, settle, sleep, spawn_all, started

MANY = 10_000
MANY_IN_DEBUG_MODE = 1_000  # in which asyncio keeps a traceback for each task
LONG = 3600  # seconds; a sleep this long is always cancelled


@pytest.fixture
def many(kind: str) -> int:
    """The number of operations for tests with many."""
    return MANY_IN_DEBUG_MODE if kind == "asyncio+debug" else MANY


@pytest.mark.parametrize("seconds", [0, 1e-9, 0.001, 0.02])
@pytest.mark.parametrize("name", ["sleep", "sleep_nogil", "spawned_sleep"])
def test_sleep_ends(run: Callable[..., Any], name: str, seconds: float) -> None:
    assert run(getattr(t, name), seconds) is None


def test_shorter_sleep_ends_first(run: Callable[..., Any]) -> None:
    async def main() -> None:
        long, short = spawn_all(t.sleep(seconds) for seconds in (LONG, 0.001))
        await short
        assert not long.done()
        await cancelled(long)

    run(main)


def test_sleeps_of_one_turn_end_in_the_order_of_their_deadlines(run: Callable[..., Any]) -> None:
    async def main() -> None:
        ended, gap = [], 0.1

        async def sleeper(i: int) -> None:
            await t.sleep(0.001 + i * gap)
            ended.append(i)

        before = time.monotonic()
        tasks = spawn_all(sleeper(i) for i in (3, 1, 0, 2))
        await settle()
        far_apart = time.monotonic() - before >= gap  # else the deadlines may have another order
        await results(tasks)
        assert ended == [0, 1, 2, 3] or (far_apart and sorted(ended) == [0, 1, 2, 3])

    run(main)


def test_sleeps_follow_each_other(run: Callable[..., Any]) -> None:
    async def main() -> int:
        for i in range(50):
            await t.sleep(0.0001 * (i % 3))
        return i

    assert run(main) == 49


def test_loop_goes_on_while_it_sleeps(run: Callable[..., Any]) -> None:
    async def main() -> None:
        sleeping = await started(t.sleep(LONG))
        await sleep(0.001)
        assert await t.yield_times(3) is None
        assert not sleeping.done()
        await cancelled(sleeping)

    run(main)


@pytest.mark.parametrize("name", ["sleep", "sleep_nogil", "spawned_sleep"])
def test_cancelled_sleep_ends_at_once(run: Callable[..., Any], name: str) -> None:
    async def main() -> None:
        await cancelled(await started(getattr(t, name)(LONG)))
        await t.sleep(0)

    run(main)


@pytest.mark.parametrize("name", ["sleep", "spawned_sleep"])
def test_many_sleeps_at_once_all_end(run: Callable[..., Any], name: str, many: int) -> None:
    async def main() -> None:
        tasks = spawn_all(getattr(t, name)(i % 10 / 1000) for i in range(many))
        assert await results(tasks) == [None] * many

    run(main)


def test_many_sleeps_cancelled_at_once_all_end(run: Callable[..., Any], many: int) -> None:
    async def main() -> None:
        before = t.live_futures()
        tasks = spawn_all(t.sleep(LONG + i % 100) for i in range(many))
        await settle()
        await cancelled(*tasks[::2])
        assert not any(task.done() for task in tasks[1::2])
        await cancelled(*tasks[1::2])
        assert t.live_futures() == before

    run(main)


def test_sleep_that_nobody_awaits_any_more_is_forgotten(run: Callable[..., Any]) -> None:
    async def main() -> None:
        coroutine = t.sleep(LONG)
        coroutine.send(None)
        coroutine.close()
        another = t.sleep(LONG)
        another.send(None)
        del another
        await t.sleep(0.001)

    run(main)


def test_loop_that_ends_with_sleeps_pending_cancels_them(run: Callable[..., Any]) -> None:
    ended = []

    async def sleeper() -> None:
        try:
            await t.sleep(LONG)
        except cancellation():
            ended.append("cancelled")
            raise

    async def main() -> None:
        main.tasks = [await started(sleeper()) for _ in range(3)]  # kept: asyncio itself refers to tasks only weakly

    run(main)
    del main.tasks
    assert ended == ["cancelled"] * 3
