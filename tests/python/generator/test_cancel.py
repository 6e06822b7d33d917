"""Cancelling the task that waits for the next item, under each policy, on every framework."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import (
    by_level,
    cancellation,
    current_task,
    ended,
    expire,
    on_trio,
    plain_task,
    settle,
    since_311,
    sleep,
    spawn,
    started,
    until,
)
from support.frameworks import current

Run = Callable[..., Any]

ENDING = pytest.mark.parametrize(
    "options", [{}, {"cancel": "wait"}, {"cancel": "detach"}, {"batch": 64}, {"without_gil": True}], ids=str
)


async def items(generator: Any) -> list[Any]:
    """All of them."""
    return [item async for item in generator]


@ENDING
def test_cancel_of_a_pending_step_tells_the_native_side_and_ends_the_generator(
    run: Run, options: dict[str, Any]
) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator(**options)
        task = await started(generator.__anext__())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert channel.cancelled == 1 and channel.try_send(1) < 0
        assert await items(generator) == []

    run(main)


def test_cancel_around_a_loop_ends_it_at_once(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        channel.try_send(1)
        seen: list[Any] = []

        async def consumer() -> None:
            try:
                async for n in channel.generator():
                    seen.append(n)
            except cancellation():
                seen.append(channel.cancelled)
                raise

        task = await started(consumer())
        await until(lambda: seen)
        task.cancel()
        assert await ended(task) == "cancelled"
        assert seen == [1, 1]

    run(main)


def test_shielded_item_is_kept_for_the_next_step(run: Run) -> None:
    """On trio the cancellation comes at the next checkpoint after the step, which has returned its item."""

    async def main() -> None:
        channel = t.Channel(4)
        generator = channel.generator(cancel="shield")
        task = await started(generator.__anext__())
        task.cancel()
        await settle()
        assert not task.done() and channel.cancelled == 0
        channel.try_send(7)
        channel.try_send(8)
        channel.close()
        how = await ended(task)
        assert how == (7 if on_trio() else "cancelled")
        assert await items(generator) == ([8] if on_trio() else [7, 8])
        assert channel.cancelled == 0

    run(main)


def test_shielded_list_is_kept_also_when_the_end_came_with_it(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(4)
        generator = channel.generator(cancel="shield", batch=64)
        task = await started(generator.__anext__())
        task.cancel()
        await settle()
        channel.try_send(7)
        channel.try_send(8)
        channel.close(-2)
        how = await ended(task)
        if not on_trio():
            assert how == "cancelled" and await anext(generator) == [7, 8]
        with pytest.raises(FileNotFoundError):
            await anext(generator)

    run(main)


def test_kept_item_that_nobody_wants_is_destroyed(run: Run) -> None:
    async def main() -> None:
        for closes in (False, True):
            channel = t.Channel(4)
            generator = channel.generator(cancel="shield")
            task = await started(generator.__anext__())
            task.cancel()
            await settle()
            channel.try_send(7)
            await ended(task)
            if closes:
                await generator.aclose()
            del generator, task

    run(main)


def test_item_that_comes_with_the_cancel_is_not_given_to_a_cancelled_awaiter(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator()
        task = await started(generator.__anext__())
        channel.try_send(1)
        task.cancel()
        how = await ended(task)
        assert how in ("cancelled", 1)
        assert await items(generator) == [] if how == "cancelled" else True

    run(main)


def test_task_that_is_cancelled_before_its_step_begins_ends_the_generator(run: Run) -> None:
    """As with one of Python, the cancellation comes at the `yield`. It comes while the step waits if a task runs its
    first part at once, and on trio."""

    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator()
        task = spawn(generator.__anext__())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert channel.cancelled == 1 and await items(generator) == []

    run(main)


def test_time_limit_ends_a_wait_for_an_item(run: Run, kind: str) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator()
        if by_level():
            with current().library.move_on_after(60) as scope:
                expire(scope)
                await anext(generator)
            assert scope.cancelled_caught if hasattr(scope, "cancelled_caught") else scope.cancel_called
        else:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(generator.__anext__(), 0.01)
        assert channel.cancelled == 1

    run(main)


@since_311
def test_asyncio_timeout_ends_a_loop_and_leaves_the_task_uncancelled(run_asyncio: Run) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await items(channel.generator())
        assert channel.cancelled == 1 and current_task().cancelling() == 0

    run_asyncio(main)


def test_shielded_wait_outlives_a_time_limit_and_keeps_the_item(run_asyncio: Run) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator(cancel="shield")

        async def later() -> None:
            await asyncio.sleep(0.02)
            channel.try_send(5)

        sender = spawn(later())
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(generator.__anext__(), 0.001)
        await sender
        assert await anext(generator) == 5

    run_asyncio(main)


@pytest.mark.parametrize("how", ["aclose", "athrow"])
def test_cancelled_aclose_ends_the_generator_all_the_same(run: Run, how: str) -> None:
    """Here the stream waits for Python code, which takes its time."""

    async def main() -> None:
        log: list[str] = []

        async def slow() -> Any:
            try:
                yield 1
            finally:
                try:
                    await sleep(60)
                except BaseException as error:
                    log.append(type(error).__name__)
                    raise

        generator = t.relay(slow())
        assert await anext(generator) == 1
        step = generator.aclose() if how == "aclose" else generator.athrow(KeyError("k"))
        task = await started(step)
        assert generator.ag_running and not log
        task.cancel()
        assert await ended(task) == "cancelled"
        assert log == [cancellation().__name__]
        assert not generator.ag_running and await items(generator) == []

    run(main)


def test_cancel_during_the_loops_turn_between_items_ends_it(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(2000)
        for n in range(2000):
            channel.try_send(n)

        async def consumer() -> None:
            async for _ in channel.generator():
                if channel.length == 1000:
                    tasks[0].cancel()
                    await settle()

        tasks: list[Any] = []
        tasks.append(plain_task(consumer()))
        assert await ended(tasks[0]) == "cancelled"
        assert channel.cancelled == 1

    run(main)
