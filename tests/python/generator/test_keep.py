"""The policy keep, and recv() methods: who waits for the next item may leave at once, and loses none."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import _cawait_test as t
from support.children.asan import ASAN
from support.common import (
    by_level,
    cancelled,
    current_task,
    ended,
    on_trio,
    plain_task,
    settle,
    shield,
    since_311,
    sleep,
    spawn,
    started,
    turn,
    until,
)
from support.frameworks import current

Run = Callable[..., Any]

LATE = "late"
KEEPING = [{}, {"batch": 3}, {"without_gil": True}]
each_way = pytest.mark.parametrize("options", KEEPING, ids=str)
each_recv = pytest.mark.parametrize("name", ["recv", "recv_keeping"])


async def within(seconds: float, make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What it gives within this time; else LATE."""
    if by_level():
        with current().library.move_on_after(seconds):
            return await make()
        return LATE
    try:
        return await asyncio.wait_for(make(), seconds)
    except asyncio.TimeoutError:
        return LATE


async def items(generator: Any) -> list[Any]:
    """All of them."""
    return [item async for item in generator]


def flat(item: Any) -> list[int]:
    return item if isinstance(item, list) else [item]


def in_order(seen: list[int], producers: int, each: int) -> bool:
    """Whether all numbers of Channel.feed() came, in order for each producer."""
    return all([n % 10_000_000 for n in seen if n // 10_000_000 == p] == list(range(each)) for p in range(producers))


@each_way
def test_time_limits_in_a_loop_lose_no_item_of_four_threads(run: Run, options: dict[str, Any]) -> None:
    each = 100 if ASAN else 300

    async def main() -> None:
        chance = random.Random(14)
        channel = t.Channel(3)
        generator = channel.generator(cancel="keep", **options)
        channel.feed(4, each)
        channel.release()
        seen: list[int] = []
        late = 0
        while True:
            try:
                item = await within(chance.choice([0, 0, 1e-6, 1e-5, 1e-4, 1e-3]), generator.__anext__)
            except StopAsyncIteration:
                break
            if item == LATE:
                late += 1
            else:
                seen += flat(item)
        assert in_order(seen, 4, each) and channel.cancelled == 0

    run(main)


@each_way
def test_time_limits_on_a_stream_without_items_are_prompt_and_leave_it_alive(run: Run, options: dict[str, Any]) -> None:
    async def main() -> None:
        channel = t.Channel(3)
        generator = channel.generator(cancel="keep", **options)
        for n in range(20):
            assert await within(0.001, generator.__anext__) == LATE
            assert not generator.ag_running and generator.ag_await is None and channel.cancelled == 0
            channel.try_send(n)
            if n % 2:
                await settle()
            assert flat(await anext(generator)) == [n]
        channel.close(-2)
        with pytest.raises(FileNotFoundError):
            await anext(generator)

    run(main)


@pytest.mark.parametrize("status, error", [(0, StopAsyncIteration), (-2, FileNotFoundError)])
def test_end_that_comes_between_two_waits_comes_next(run: Run, status: int, error: type[BaseException]) -> None:
    async def main() -> None:
        channel = t.Channel(3)
        generator = channel.generator(cancel="keep")
        await cancelled(await started(generator.__anext__()))
        channel.try_send(1)
        channel.close(status)
        await settle()
        assert await anext(generator) == 1
        with pytest.raises(error):
            await anext(generator)

    run(main)


def test_item_that_comes_with_the_cancel_is_given_once(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(50)
        generator = channel.generator(cancel="keep")
        seen: list[int] = []
        for n in range(50):
            task = spawn(generator.__anext__())
            await settle()
            if n % 2:
                task.cancel()
            channel.try_send(n)
            if n % 3 == 0:
                await turn()
            task.cancel()
            how = await ended(task)
            if how != "cancelled":
                seen.append(how)
        channel.close()
        assert seen + await items(generator) == list(range(50))

    run(main)


def leave_by_close(step: Any) -> None:
    step.close()


def leave_by_throw(step: Any) -> None:
    with pytest.raises(KeyError):
        step.throw(KeyError("k"))


def leave_by_exit(step: Any) -> None:
    with pytest.raises(GeneratorExit):
        step.throw(GeneratorExit())


def leave_by_drop(step: Any) -> None:
    del step


@pytest.mark.parametrize("begins", [False, True], ids=["new", "pending"])
@pytest.mark.parametrize("leave", [leave_by_close, leave_by_throw, leave_by_exit, leave_by_drop])
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_step_that_is_given_up_by_hand_leaves_the_stream(run: Run, leave: Callable[[Any], None], begins: bool) -> None:
    async def main() -> None:
        channel = t.Channel(3)
        generator = channel.generator(cancel="keep")
        for n in range(3):
            steps = [generator.__anext__()]
            if begins:
                assert steps[0].send(None) is not None
            leave(steps.pop())
            gc.collect()
            assert not generator.ag_running and channel.cancelled == 0
            channel.try_send(n)
            assert await anext(generator) == n

    run(main)


def test_task_that_is_cancelled_before_its_step_begins_leaves_the_stream(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator(cancel="keep")
        task = plain_task(generator.__anext__())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert channel.cancelled == 0
        channel.try_send(1)
        assert await anext(generator) == 1

    run(main)


def test_second_step_is_refused_and_its_cancel_stays_a_cancel(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator(cancel="keep")
        first = await started(generator.__anext__())
        with pytest.raises(RuntimeError, match="already running"):
            await anext(generator)
        second = plain_task(generator.__anext__())
        second.cancel()
        how = await ended(second)
        assert how == "cancelled" or (by_level() and isinstance(how, RuntimeError))  # there it may have begun
        assert generator.ag_running
        channel.try_send(1)
        assert await ended(first) == 1

    run(main)


def test_loop_that_was_cancelled_can_be_taken_up_by_another_task(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(20)
        generator = channel.generator(cancel="keep")
        seen: list[int] = []

        async def consumer() -> None:
            async for n in generator:
                seen.append(n)

        for n in range(10):
            task = await started(consumer())
            channel.try_send(n)
            if n % 2:
                await until(lambda n=n: len(seen) > n)
            await cancelled(task)
        channel.close()
        await consumer()
        assert seen == list(range(10)) and channel.cancelled == 0

    run(main)


def test_aclose_and_the_last_reference_end_the_stream_as_always(run: Run) -> None:
    async def main() -> None:
        for closes in (False, True):
            channel = t.Channel(2)
            generator = channel.generator(cancel="keep")
            await cancelled(await started(generator.__anext__()))
            if closes:
                await generator.aclose()
                assert await items(generator) == []
            del generator
            gc.collect()
            assert channel.cancelled == 1 and channel.try_send(1) < 0

    run(main)


def test_cancelled_aclose_is_left_at_once_and_ends_the_stream(run: Run) -> None:
    """The cleanup of the Python code goes on by itself."""

    async def main() -> None:
        log: list[str] = []
        over = False

        async def slow() -> Any:
            try:
                yield 1
                await sleep(60)
            finally:
                log.append("cleaning")
                with shield():
                    await until(lambda: over)
                log.append("clean")

        generator = t.relay_keeping(slow())
        assert await anext(generator) == 1
        await settle()
        task = await started(generator.aclose())
        await until(lambda: log)
        await cancelled(task)
        assert log == ["cleaning"] and not generator.ag_running and await items(generator) == []
        over = True
        await until(lambda: len(log) == 2)

    run(main)


@since_311
def test_asyncio_timeout_around_a_step_leaves_the_stream_and_the_task(run_asyncio: Run) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator(cancel="keep")
        for n in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001 * (n % 2)):
                    await anext(generator)
            assert channel.cancelled == 0 and current_task().cancelling() == 0
        channel.try_send(1)
        async with asyncio.timeout(10):
            assert await anext(generator) == 1

    run_asyncio(main)


# --- around Python ---


def test_iterable_of_python_goes_on_while_nobody_waits(run: Run) -> None:
    """It runs as a task: the cancel of who waits does not reach it."""

    async def main() -> None:
        chance = random.Random(14)

        async def source() -> Any:
            for n in range(60):
                await (sleep(0.0005) if n % 3 else turn())
                yield n

        generator = t.relay_keeping(source())
        seen: list[int] = []
        while True:
            try:
                item = await within(chance.choice([0, 1e-5, 1e-3]), generator.__anext__)
            except StopAsyncIteration:
                break
            if item != LATE:
                seen.append(item)
        assert seen == list(range(60))

    run(main)


def test_exception_of_python_that_comes_between_two_waits_comes_next(run: Run) -> None:
    async def main() -> None:
        error = KeyError("k")

        async def source() -> Any:
            await turn()
            await turn()
            yield 1
            raise error

        generator = t.relay_keeping(source())
        task = spawn(generator.__anext__())
        await turn()
        await cancelled(task) if not task.done() else None
        await settle()
        seen = [] if task.cancelled() else [task.result()]
        with pytest.raises(KeyError) as raised:
            async for n in generator:
                seen.append(n)
        assert seen == [1] and raised.value is error

    run(main)


# --- recv() ---


@each_recv
def test_time_limits_around_recv_lose_no_item_of_four_threads(run: Run, name: str) -> None:
    each = 100 if ASAN else 300

    async def main() -> None:
        chance = random.Random(41)
        channel = t.Channel(3)
        channel.feed(4, each)
        seen: list[int] = []
        while len(seen) < 4 * each:
            item = await within(chance.choice([0, 0, 1e-6, 1e-5, 1e-4, 1e-3]), getattr(channel, name))
            if item != LATE:
                seen.append(item)
        assert in_order(seen, 4, each) and channel.cancelled == 0
        channel.close()
        with pytest.raises(BrokenPipeError):
            await getattr(channel, name)()
        with pytest.raises(BrokenPipeError):
            await getattr(channel, name)()

    run(main)


@each_recv
def test_cancelled_recv_gives_its_item_to_the_next(run: Run, name: str) -> None:
    async def main() -> None:
        channel = t.Channel(50)
        seen: list[int] = []
        for n in range(50):
            task = spawn(getattr(channel, name)())
            await settle()
            if n % 2:
                task.cancel()
            channel.try_send(n)
            if n % 3 == 0:
                await turn()
            task.cancel()
            how = await ended(task)
            if how != "cancelled":
                seen.append(how)
        while len(seen) < 50:
            seen.append(await getattr(channel, name)())
        assert seen == list(range(50)) and (on_trio() or channel.length == 0)

    run(main)


@each_recv
def test_second_recv_is_refused_and_the_first_goes_on(run: Run, name: str) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        first = await started(getattr(channel, name)())
        with pytest.raises(OSError, match="busy"):
            await getattr(channel, name)()
        channel.try_send(1)
        assert await ended(first) == 1

    run(main)
