"""Async generators made in C that are not iterated to the end: break, collection, the end of a loop or a run."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import trio

import _cawait_test as t
from support.common import current_task, ended, spawn, started, turn, until
from support.frameworks import run_kind

Run = Callable[..., Any]


async def in_thread(function: Callable[[], Any]) -> None:
    """Call it in another thread, while the loop turns."""
    thread = threading.Thread(target=function)
    thread.start()
    while thread.is_alive():
        await turn()
    thread.join()


def test_break_cancels_the_native_side_as_soon_as_nobody_has_the_generator(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(4)
        channel.try_send(1)
        async for _ in channel.generator():
            break
        gc.collect()  # PyPy would need this; here the generator ends with its last reference
        assert channel.cancelled == 1 and channel.try_send(2) < 0

    run(main)


async def channel_of_a_generator_in_a_cycle() -> t.Channel:
    """Return the channel. Only a cycle refers to the generator, which has given an item."""
    channel = t.Channel(4)
    channel.try_send(1)
    cycle: list[Any] = [channel.generator()]
    cycle.append(cycle)
    assert await anext(cycle[0]) == 1
    return channel


def test_generator_in_a_cycle_ends_when_it_is_collected(run: Run) -> None:
    async def main() -> None:
        channel = await channel_of_a_generator_in_a_cycle()
        assert channel.cancelled == 0
        gc.collect()
        assert channel.cancelled == 1

    run(main)


def test_generator_that_another_thread_collects_ends_there(run: Run) -> None:
    async def main() -> None:
        channel = await channel_of_a_generator_in_a_cycle()
        await in_thread(gc.collect)
        assert channel.cancelled == 1

    run(main)


def test_last_reference_in_another_thread_ends_it_there(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(4)
        channel.try_send(1)
        kept = [channel.generator()]
        assert await anext(kept[0]) == 1
        await in_thread(kept.clear)
        assert channel.cancelled == 1

    run(main)


def test_step_of_a_generator_that_is_dropped_goes_on(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(4)
        task = await started(channel.generator().__anext__())
        gc.collect()
        channel.try_send(3)
        assert await ended(task) == 3
        del task
        await turn()
        gc.collect()
        assert channel.cancelled == 1

    run(main)


@pytest.mark.filterwarnings("error")
def test_end_of_a_loop_closes_what_is_still_iterated(run_asyncio: Run) -> None:
    kept: list[Any] = []

    async def main() -> t.Channel:
        channel = t.Channel(4)
        channel.try_send(1)
        kept.append(channel.generator())
        assert await anext(kept[0]) == 1
        return channel

    channel = run_asyncio(main)
    assert channel.cancelled == 1 and kept[0].ag_frame is None
    with pytest.raises(StopAsyncIteration):
        kept[0].__anext__().send(None)


@pytest.mark.filterwarnings("error")
def test_end_of_a_loop_leaves_what_was_never_iterated(run_asyncio: Run) -> None:
    kept: list[Any] = []

    async def main() -> None:
        kept.append(t.numbers(3))

    run_asyncio(main)
    for n in range(3):
        with pytest.raises(StopIteration) as stop:
            kept[0].__anext__().send(None)
        assert stop.value.value == n


def test_end_of_a_run_of_trio_closes_what_is_still_iterated_without_a_word() -> None:
    kept: list[Any] = []

    async def main() -> None:
        channel = t.Channel(4)
        channel.try_send(1)
        kept.extend([channel, channel.generator()])
        assert await anext(kept[1]) == 1

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        trio.run(main)
    assert not seen and kept[0].cancelled == 1 and kept[1].ag_frame is None


def test_generator_that_is_dropped_in_a_run_of_trio_is_closed_without_a_word() -> None:
    async def main() -> None:
        channel = t.Channel(4)
        channel.try_send(1)
        async for _ in channel.generator():
            break
        gc.collect()
        assert channel.cancelled == 1

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        trio.run(main)
    assert not seen


def test_first_iteration_calls_the_hook_once(loop_errors: list[Any]) -> None:
    async def main() -> None:
        seen: list[Any] = []
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=seen.append, finalizer=before.finalizer)
        try:
            generator = t.numbers(3)
            assert not seen
            await anext(generator)
            await anext(generator)
            await generator.aclose()
            assert seen == [generator]
        finally:
            sys.set_asyncgen_hooks(*before)

    run_kind("asyncio", loop_errors, main)


def test_hook_that_fails_is_raised_by_the_method(loop_errors: list[Any]) -> None:
    def refuse(generator: Any) -> None:
        raise KeyError("hook")

    async def main() -> None:
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=refuse)
        try:
            generator = t.numbers(3)
            with pytest.raises(KeyError, match="hook"):
                generator.__anext__()
        finally:
            sys.set_asyncgen_hooks(*before)
        assert await anext(generator) == 0

    run_kind("asyncio", loop_errors, main)


def test_closed_loop_in_the_middle_leaves_a_generator_that_says_so(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    channel = t.Channel(2)
    generator = channel.generator()
    loop = new_loop()

    async def main() -> Any:
        return await started(generator.__anext__())

    task = loop.run_until_complete(main())
    task._log_destroy_pending = False
    loop.close()
    channel.try_send(1)
    assert generator.ag_running
    del task
    gc.collect()
    assert generator.__anext__ and channel.cancelled in (0, 1)
    generator = None
    gc.collect()


def test_step_that_waits_on_one_loop_is_refused_by_another(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    channel = t.Channel(2)
    generator = channel.generator()
    first, second = new_loop(), new_loop()
    step = generator.__anext__()

    async def begin() -> None:
        step.send(None)

    async def go_on() -> None:
        with pytest.raises(RuntimeError, match="different event loop"):
            step.send(None)
        with pytest.raises(RuntimeError, match="already running"):
            await anext(generator)

    first.run_until_complete(begin())
    second.run_until_complete(go_on())
    step.close()
    assert channel.cancelled == 1


def test_generator_is_closed_by_another_task_than_iterated_it(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(4)
        channel.try_send(1)
        generator = channel.generator()
        assert await anext(generator) == 1
        await ended(spawn(generator.aclose()))
        assert channel.cancelled == 1 and current_task()
        await until(lambda: True)

    run(main)


async def endless(log: list[str]) -> Any:
    try:
        while True:
            yield 1
            await turn_of_any()
    finally:
        log.append("closed")


async def turn_of_any() -> None:
    """One turn of the running framework."""
    await anyio.sleep(0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_run_ends_while_a_posted_iterable_waits_for_room(backend: str) -> None:
    log: list[str] = []
    kept: list[Any] = []

    async def main() -> None:
        kept.append(t.relay_posted(endless(log), 1))
        assert await anext(kept[0]) == 1
        for _ in range(20):
            await turn_of_any()

    anyio.run(main, backend=backend)
    assert log == ["closed"]
    kept.clear()


@pytest.mark.parametrize("where", ["pool", "scope"])
def test_stream_that_is_cancelled_as_it_begins_elsewhere_is_given_up_there(run: Run, where: str) -> None:
    async def main() -> None:
        for turns in range(40):
            task = spawn(t.total(endless([]), where=where))
            for _ in range(turns % 4):
                await turn()
            task.cancel()
            await ended(task)

    run(main)


def test_generator_that_the_collector_has_cleared_has_no_name() -> None:
    seen: list[Any] = []

    class Victim:
        pass

    class Last:
        """Makes references that the collector no longer clears."""

        def __init__(self, generator: Any, victim: Any) -> None:
            self.generator, self.victim = generator, victim

        def __del__(self) -> None:
            references.append(weakref.ref(self.generator))
            references.append(weakref.ref(self.victim, look))

    def look(_: Any) -> None:
        if (generator := references[0]()) is not None:
            seen.extend([generator.__name__, generator.__qualname__, generator.ag_code])

    def make() -> None:
        generator, victim = t.numbers(3), Victim()
        first: list[Any] = [generator]
        second: list[Any] = [victim, first]
        first += [second, first, Last(generator, victim)]

    references: list[Any] = []
    make()
    gc.collect()
    assert len(references) == 2
    assert seen in ([], [None] * 3)
