"""All that runs a coroutine in asyncio accepts one made in C: run, Runner, the loop, tasks, eager tasks, threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import since_311, since_312

# --- loops and runners ---


def test_loop_runs_it_directly(run_asyncio: Callable[..., Any]) -> None:
    assert run_asyncio(t.ready, 5) == 5
    assert run_asyncio(t.yield_times, 3) is None


def test_run_until_complete_takes_it(new_loop: Callable[[], Any]) -> None:
    loop = new_loop()
    assert loop.run_until_complete(t.ready(5)) == 5
    assert loop.run_until_complete(t.sleep(0.001)) is None


def test_asyncio_run_takes_it() -> None:
    assert asyncio.run(t.ready(5)) == 5


def test_asyncio_run_takes_one_that_suspends() -> None:
    assert asyncio.run(t.sleep(0.001)) is None
    for n in range(2):
        op = t.Op(n)
        op.resolve_later(500)
        assert asyncio.run(op.wait()) == n


@since_311
def test_runner_runs_it_twice() -> None:
    with asyncio.Runner() as runner:
        assert runner.run(t.ready(1)) == 1
        assert runner.run(t.sleep(0.001)) is None


# called by uvloop; deprecated from 3.14 on
@pytest.mark.filterwarnings("ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning")
def test_run_coroutine_threadsafe_takes_it(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> Any:
        loop, op = asyncio.get_running_loop(), t.Op("from a thread")

        def other_thread() -> Any:
            op.resolve_later(500)
            coroutines = t.ready(5), op.wait()
            return [asyncio.run_coroutine_threadsafe(coroutine, loop).result(30) for coroutine in coroutines]

        return await asyncio.to_thread(other_thread)

    assert run_asyncio(main) == [5, "from a thread"]


# --- tasks ---


def test_create_task_runs_it_beside_the_creator(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> Any:
        op = t.Op("value")
        task = asyncio.create_task(op.wait(), name="mine")
        await asyncio.sleep(0)
        assert op.started == 1 and not task.done()
        assert task.get_name() == "mine"
        op.resolve()
        return await task

    assert run_asyncio(main) == "value"


def test_ensure_future_makes_a_task_of_it(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> Any:
        task = asyncio.ensure_future(t.ready(5))
        assert asyncio.isfuture(task)
        return await task

    assert run_asyncio(main) == 5


@since_312
def test_eager_task_that_is_ready_ends_at_once() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(t.ready(5))
        assert task.done() and task.result() == 5
        op = t.Op("value")
        task = asyncio.create_task(op.wait())
        assert op.started == 1 and not task.done()
        op.resolve()
        assert await task == "value"

    asyncio.run(main())


@since_312
def test_eager_task_started_inside_a_resumed_task_suspends_on_the_same_loop() -> None:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        first, second = t.Op(), t.Op("eager")
        first.resolve_later(500)
        await first.wait()
        task = loop.create_task(second.wait())
        assert second.started == 1 and not task.done()
        second.resolve_later(500)
        return await task

    assert asyncio.run(main()) == "eager"
