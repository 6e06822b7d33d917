"""Generators of channels: producers on native threads and in Python, back-pressure, both ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.children import run_child
from support.common import by_level, ended, settle, spawn, spawn_all, started, turn, until
from support.frameworks import current, run_kind
from support.kinds import MAIN_KINDS, each_kind, kind_fixture

Run = Callable[..., Any]

kind = kind_fixture(MAIN_KINDS)  # what is built on awaiting is tested on one of each kind
PRODUCER = 10_000_000  # the numbers of a producer of feed() begin at a multiple of this


async def items(generator: Any) -> list[Any]:
    """All of them."""
    return [item async for item in generator]


def in_order(seen: list[int], producers: int, each: int) -> bool:
    """Whether all numbers came, in order for each producer."""
    sorted_out: list[list[int]] = [[] for _ in range(producers)]
    for n in seen:
        sorted_out[n // PRODUCER].append(n % PRODUCER)
    return all(numbers == list(range(each)) for numbers in sorted_out)


@pytest.mark.parametrize("waits", [True, False], ids=["waits", "tries"])
@pytest.mark.parametrize("options", [{}, {"batch": 3}, {"without_gil": True}], ids=str)
def test_all_items_of_four_threads_come_in_order(run: Run, waits: bool, options: dict[str, Any]) -> None:
    async def main() -> None:
        channel = t.Channel(5)
        channel.feed(4, 50, waits)
        channel.release()
        seen = await items(channel.generator(**options))
        flat = [n for one in seen for n in one] if "batch" in options else seen
        assert in_order(flat, 4, 50)
        assert channel.cancelled == 0
        await until(lambda: channel.freed)  # the last thread may still be ending

    run(main)


def test_a_million_items_of_four_threads_go_through_ten_slots(loop_errors: list[Any]) -> None:
    """On one kind of loop. The producers try again instead of waiting, which takes a quarter of the time."""
    each = 250_000

    async def main() -> None:
        channel = t.Channel(10)
        channel.feed(4, each, False)
        channel.release()
        following = [0] * 4
        async for n in channel.generator():
            producer, number = divmod(n, PRODUCER)
            assert number == following[producer]
            following[producer] += 1
        assert following == [each] * 4

    run_kind("asyncio", loop_errors, main)


def test_slow_consumer_finds_no_more_than_the_capacity(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(4)
        channel.feed(3, 20)
        most = 0
        generator = channel.generator()
        for _ in range(60):
            await anext(generator)
            await turn()
            most = max(most, channel.length)
        assert 0 < most <= 4 and channel.length == 0

    run(main)


def test_pause_and_resume_come_in_turns(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(10, 4, 1)
        generator = channel.generator()
        for round in range(1, 4):
            for n in range(4):
                assert channel.paused == round - 1
                assert channel.try_send(n) == 0
            assert channel.paused == round
            for n in range(4):
                assert channel.resumed == round - 1 + (n > 2)
                await anext(generator)
            assert channel.resumed == round

    run(main)


# --- sends that wait ---


def test_send_waits_for_room_and_in_order(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(1)
        generator = channel.generator()
        tasks = []
        for n in range(4):
            tasks.append(spawn(channel.send(n)))
            await settle()
        assert [task.done() for task in tasks] == [True, False, False, False]
        assert channel.try_send(9) < 0
        channel_items = [await anext(generator) for _ in range(4)]
        assert channel_items == [0, 1, 2, 3]
        for task in tasks:
            assert await ended(task) is None

    run(main)


def test_producer_against_a_consumer_that_never_reads_is_bounded_by_a_time_limit(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(3)
        sent = 0

        async def produce() -> None:
            nonlocal sent
            while True:
                await channel.send(sent)
                sent += 1

        if by_level():
            with current().library.move_on_after(0.02):
                await produce()
        else:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(produce(), 0.02)
        assert sent == channel.length == 3
        seen = channel.generator()
        assert [await anext(seen) for _ in range(3)] == [0, 1, 2]
        assert channel.try_send(7) == 0 and await anext(seen) == 7  # the send that was dropped has sent nothing

    run(main)


def test_close_gives_what_is_there_and_ends_sends_that_wait(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(1)
        channel.try_send(1)
        task = await started(channel.send(2))
        assert channel.close(-2) and not channel.close()
        assert isinstance(await ended(task), RuntimeError)
        assert channel.try_send(3) < 0
        with pytest.raises(RuntimeError, match="CAW_ECLOSED"):
            await channel.send(4)
        generator = channel.generator()
        assert await anext(generator) == 1
        with pytest.raises(FileNotFoundError):
            await anext(generator)

    run(main)


def test_end_of_the_consumer_ends_sends_that_wait(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(1)
        generator = channel.generator()
        await channel.send(1)
        tasks = spawn_all(channel.send(n) for n in range(3))
        await settle()
        del generator
        for task in tasks:
            assert isinstance(await ended(task), RuntimeError)
        assert channel.cancelled == 1

    run(main)


def test_last_reference_of_the_producers_closes_it(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(1)
        task = await started(items(channel.generator()))
        channel.release()
        assert await ended(task) == [] and channel.cancelled == 0 and channel.freed == 1

    run(main)


# --- misuse ---


def test_channel_has_one_consumer() -> None:
    channel = t.Channel(1)
    channel.generator()
    with pytest.raises(OSError):
        channel.generator()


@pytest.mark.parametrize("arguments", [(0,), (2, 3, 0), (2, 1, 1), (2, 1, 2)])
def test_bad_bounds_are_refused(arguments: tuple[int, ...]) -> None:
    with pytest.raises(OSError):
        t.Channel(*arguments)


def test_items_that_nobody_takes_are_destroyed() -> None:
    for make in (lambda c: None, lambda c: c.generator()):
        channel = t.Channel(8)
        for n in range(5):
            channel.try_send(n)
        kept = make(channel)
        del kept, channel


# --- a process of its own ---


@each_kind("kind", ["asyncio", "trio"])
def test_memory_is_flat_from_python_through_c_to_a_slow_consumer(kind: str) -> None:
    run_child("streams", "flat", kind)


@pytest.mark.parametrize("function", ["kept_at_exit", "feeding_at_exit", "relay_at_exit"])
def test_exit_with_a_generator_in_the_middle_is_clean(function: str) -> None:
    run_child("streams", function, "asyncio")


def test_generator_in_a_forked_child_fails_or_ends_but_never_hangs() -> None:
    run_child("streams", "fork", "asyncio")
