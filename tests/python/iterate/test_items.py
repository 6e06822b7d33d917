"""Async iterables of Python consumed in C: in place, by a task, on the pool, in a scope; and Python -> C -> Python."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import ended, settle, spawn, turn, until
from support.frameworks import run_kind
from support.iterables import Source, counted, each_place, each_relay, iterator_class, posted_too
from support.kinds import MAIN_KINDS, kind_fixture

Run = Callable[..., Any]

kind = kind_fixture(MAIN_KINDS)  # what is built on awaiting is tested on one of each kind


# --- all items ---


@each_place
@pytest.mark.parametrize("waits", [False, True], ids=["at-once", "waits"])
def test_native_code_gets_all_items_and_the_end(run: Run, where: str, waits: bool) -> None:
    async def main() -> None:
        source = Source(20, waits)
        assert counted(await t.total(source, where=where, capacity=3), 20, where)
        assert source.log == ["end", "cleaning", "clean"]

    run(main)


@each_place
def test_iterator_without_aclose_is_iterated_too(run: Run, where: str) -> None:
    async def main() -> None:
        iterator = iterator_class(Source(5).__aiter__())
        assert counted(await t.total(iterator, where=where), 5, where)

    run(main)


@each_relay
def test_relay_gives_the_same_objects_in_order(run: Run, relay: Any) -> None:
    async def main() -> None:
        objects = [object() for _ in range(10)]

        async def source() -> Any:
            for one in objects:
                yield one

        seen = [one async for one in relay(source())]
        assert all(a is b for a, b in zip(seen, objects)) and len(seen) == 10

    run(main)


def test_value_that_convert_leaves_out_is_not_an_item(run: Run) -> None:
    async def main() -> None:
        async def source() -> Any:
            for n in (1, 0, 2, 0):
                yield n

        assert await t.total(source()) == (2, 3)

    run(main)


# --- errors ---


@each_place
def test_error_of_the_iterable_is_raised_as_the_same_object(run: Run, where: str) -> None:
    async def main() -> None:
        error = KeyError("k")

        async def source() -> Any:
            yield 1
            await turn()
            raise error

        with pytest.raises(KeyError) as raised:
            await t.total(source(), where=where)
        assert raised.value is error

    run(main)


@each_relay
def test_error_comes_after_the_items_before_it(run: Run, relay: Any) -> None:
    async def main() -> None:
        async def source() -> Any:
            yield 1
            yield 2
            raise KeyError("k")

        generator, seen = relay(source()), []
        with pytest.raises(KeyError):
            async for n in generator:
                seen.append(n)
        assert seen == [1, 2]
        assert [n async for n in generator] == []

    run(main)


@posted_too
def test_value_that_cannot_be_converted_ends_it(run: Run, where: str) -> None:
    async def main() -> None:
        log = []

        async def source() -> Any:
            try:
                yield 1
                yield "text"
            finally:
                await turn()
                log.append("clean")

        with pytest.raises(TypeError):
            await t.total(source(), where=where)
        await until(lambda: log)

    run(main)


@posted_too
def test_stop_async_iteration_raised_within_is_an_error_where_python_says_so(run: Run, where: str) -> None:
    async def source() -> Any:
        yield 1
        raise StopAsyncIteration

    class Iterator:
        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            raise StopAsyncIteration

    async def main() -> None:
        with pytest.raises(RuntimeError, match="async generator raised StopAsyncIteration"):
            await t.total(source(), where=where)
        assert await t.total(Iterator(), where=where) == (0, 0)

    run(main)


@posted_too
def test_next_that_is_no_awaitable_is_a_type_error(run: Run, where: str) -> None:
    class Iterator:
        def __aiter__(self) -> Any:
            return self

        def __anext__(self) -> Any:
            return 1

    async def main() -> None:
        with pytest.raises(TypeError):
            await t.total(Iterator(), where=where)

    run(main)


@pytest.mark.parametrize(
    "make", [t.total, t.relay, lambda one: t.relay_posted(one, 1)], ids=["total", "relay", "posted"]
)
def test_what_is_no_async_iterable_is_a_type_error_at_once(loop_errors: list[Any], make: Any) -> None:
    class Wrong:
        def __aiter__(self) -> Any:
            return 1

    class Fails:
        def __aiter__(self) -> Any:
            raise KeyError("aiter")

    async def main() -> None:
        for one in (1, None, [], Source, Wrong(), turn):
            with pytest.raises(TypeError):
                make(one)
        with pytest.raises(KeyError, match="aiter"):
            make(Fails())

    asyncio.run(main())


# --- back-pressure ---


def test_iterable_in_place_is_never_ahead(run: Run) -> None:
    async def main() -> None:
        source = Source(10)
        generator = t.relay(source)
        await settle()
        assert source.given == 0
        async for n in generator:
            await settle()
            assert source.given == n

    run(main)


def test_posted_iterable_is_ahead_by_its_capacity_at_most(run: Run) -> None:
    async def main() -> None:
        source = Source(30)
        generator = t.relay_posted(source, 4)
        await settle()
        assert source.given == 0
        ahead = 0
        async for n in generator:
            await settle(8)
            ahead = max(ahead, source.given - n)
        # An item that does not fit waits in the task: one more than the queue holds.
        assert 3 <= ahead <= 5

    run(main)


# --- around it ---


@each_place
def test_context_variables_are_those_of_who_began(run: Run, where: str) -> None:
    variable = contextvars.ContextVar("variable", default=0)

    async def source() -> Any:
        while True:
            await turn()
            yield variable.get()

    async def main() -> None:
        variable.set(5)
        total = await t.total(source(), limit=2, where=where)
        assert total == (2, 10) if where in ("place", "task") else total is None
        await settle()

    run(main)


@each_relay
def test_relays_in_each_other_give_all_items(run: Run, relay: Any) -> None:
    async def main() -> None:
        generator = relay(relay(relay(Source(10))))
        assert [n async for n in generator] == list(range(1, 11))

    run(main)


@each_relay
def test_relay_of_a_channel_gives_what_is_sent(run: Run, relay: Any) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        channel.feed(1, 20)
        channel.release()
        assert [n async for n in relay(channel.generator())] == list(range(20))
        channel = t.Channel(2)
        channel.feed(1, 20)
        channel.release()
        assert await t.total(channel.generator(), limit=3) == (3, 6)

    run(main)


@each_relay
def test_relay_that_is_left_closes_its_iterable(run: Run, relay: Any) -> None:
    async def main() -> None:
        source = Source(100)
        async for _ in relay(source):
            break
        await until(lambda: source.log[-1:] == ["clean"])
        source = Source(100)
        generator = relay(source)
        assert await ended(spawn(generator.__anext__())) == 1
        await generator.aclose()
        await until(lambda: source.log[-1:] == ["clean"])

    run(main)


def test_lists_of_an_iterable_in_place_have_one_item_each(run: Run) -> None:
    async def main() -> None:
        assert [one async for one in t.relay_lists(Source(3, waits=False))] == [[1], [2], [3]]

    run(main)


def test_consumer_on_another_thread_that_keeps_pace_loses_nothing(loop_errors: list[Any]) -> None:
    """The queue becomes full, and has room again, while pause is being called on the other side."""

    async def source() -> Any:
        for n in range(1, 6):
            yield n

    async def main() -> None:
        for _ in range(1000):
            await t.total(source(), where="pool", capacity=3)

    run_kind("asyncio", loop_errors, main)
