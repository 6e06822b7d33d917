"""Loops that end or move while native threads await Python on them; and references held by native threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable
from typing import Any

import _cawait_test as t
from support.common import Steps, cancellation, sleep, turn, wait_until

ECLOSED = -4101
EBROKEN = -4102


# --- loops that end ---


def test_loop_that_is_closed_ends_the_wait_with_an_error(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def make() -> Any:
        return t.Holder(lambda: asyncio.sleep(60))

    loop = new_loop()
    closed_before, closed_meanwhile = loop.run_until_complete(make()), loop.run_until_complete(make())
    closed_meanwhile.call_later(0)

    async def until_called() -> None:
        while len(asyncio.all_tasks()) == 1:
            await asyncio.sleep(0.001)

    loop.run_until_complete(until_called())
    tasks = asyncio.all_tasks(loop)
    loop.close()
    assert closed_meanwhile.join() == ECLOSED
    closed_before.call_later(0)
    assert closed_before.join() == ECLOSED
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()  # type: ignore[union-attr]


def test_loop_that_is_dropped_without_being_closed_ends_the_wait() -> None:
    async def make() -> Any:
        return t.Holder(lambda: asyncio.sleep(60))

    async def until_called() -> None:
        while len(asyncio.all_tasks()) == 1:
            await asyncio.sleep(0.001)
        for task in asyncio.all_tasks():
            task._log_destroy_pending = False  # type: ignore[attr-defined]

    loop = asyncio.new_event_loop()
    holder = loop.run_until_complete(make())
    holder.call_later(0)
    loop.run_until_complete(until_called())
    del loop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    assert holder.join() in (ECLOSED, EBROKEN)


def test_cancel_while_it_begins_is_not_lost(run_asyncio: Callable[..., Any]) -> None:
    """The first step of the task drops the future that waits for it."""

    async def main() -> None:
        steps = Steps()

        async def dropping() -> None:
            outer.close()
            await steps(60)

        outer = t.posted(dropping())
        outer.send(None)
        while len(steps.seen) < 2:
            await sleep(0.001)
        assert steps.seen == ["begun", cancellation().__name__]

    run_asyncio(main)


def test_loop_that_was_stopped_goes_on_with_it(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def make() -> Any:
        return t.Holder(lambda: 5)

    loop = new_loop()
    holder = loop.run_until_complete(make())
    holder.call_later(0)
    assert loop.run_until_complete(loop.run_in_executor(None, holder.join)) == 0


def test_awaitable_runs_on_the_loop_of_its_locals_which_may_be_another_threads(run: Callable[..., Any]) -> None:
    async def main() -> None:
        here = threading.get_ident()

        async def where() -> int:
            await turn()
            return threading.get_ident()

        def in_other_thread() -> None:
            async def other() -> None:
                found.append(await holder.await_there(where()))

            asyncio.run(other())

        found: list[int] = []
        holder = t.Holder(None)
        thread = threading.Thread(target=in_other_thread)
        thread.start()
        while thread.is_alive():
            await sleep(0.001)
        thread.join()
        assert found == [here]

    run(main)


# --- references ---


class Dropped:
    def __init__(self, where: list[int]) -> None:
        self.where = where

    def __del__(self) -> None:
        self.where.append(threading.get_ident())


def test_reference_that_a_native_thread_drops_is_dropped_by_the_loops_thread(run: Callable[..., Any]) -> None:
    async def main() -> None:
        where: list[int] = []
        for _ in range(100):
            await t.drop_in_thread(Dropped(where))
        while len(where) < 100:
            await sleep(0.001)
        assert set(where) == {threading.get_ident()}

    run(main)


def test_reference_that_outlives_its_loop_is_dropped_all_the_same(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def make() -> Any:
        return t.Holder(Dropped(where))

    where: list[int] = []
    loop = new_loop()
    holder = loop.run_until_complete(make())
    loop.close()
    holder.drop_later(0)
    holder.join()
    wait_until(lambda: bool(where))
    assert where == [threading.get_ident()]


def test_reference_that_is_dropped_while_the_loop_is_closed_is_dropped_once(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def make(delay: int) -> Any:
        holder = t.Holder(Dropped(where))
        holder.drop_later(delay)
        return holder

    where: list[int] = []
    for delay in range(0, 400, 20):
        loop = asyncio.new_event_loop()
        holder = loop.run_until_complete(make(delay))
        loop.close()
        holder.join()
        wait_until(lambda: len(where) == delay // 20 + 1)
