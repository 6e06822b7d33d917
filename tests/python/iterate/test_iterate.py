"""Async iterables of Python consumed in C: in place, by a task, on the pool, in a scope; and Python -> C -> Python."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import cancellation, ended, settle, sleep, spawn, started, turn, until
from support.frameworks import run_kind
from support.kinds import MAIN_KINDS, kind_fixture

Run = Callable[..., Any]

kind = kind_fixture(MAIN_KINDS)  # what is on top of awaiting runs on one of each kind

PLACES = ["place", "task", "pool", "scope"]
each_place = pytest.mark.parametrize("where", PLACES)
posted_too = pytest.mark.parametrize("where", ["place", "task"])
RELAYS = {"relay": t.relay, "posted": lambda iterable: t.relay_posted(iterable, 2)}
each_relay = pytest.mark.parametrize("relay", RELAYS.values(), ids=list(RELAYS))


class Source:
    """Numbers, and how far they have been asked for; with a cleanup that awaits."""

    def __init__(self, n: int, waits: bool = True) -> None:
        self.n = n
        self.waits = waits
        self.given = 0
        self.log: list[str] = []

    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            while self.given < self.n:
                if self.waits:
                    await turn()
                self.given += 1
                yield self.given
            self.log.append("end")
        except BaseException as error:
            self.log.append(type(error).__name__)
            raise
        finally:
            self.log.append("cleaning")
            for _ in range(3):
                await turn()
            self.log.append("clean")


def iterator_class(source: AsyncIterator[Any]) -> Any:
    """An iterator that has no aclose()."""

    class Iterator:
        def __aiter__(self) -> Any:
            return self

        def __anext__(self) -> Any:
            return source.__anext__()

    return Iterator()


def counted(total: Any, n: int, where: str) -> bool:
    """Whether that many numbers were added; a join of the pool cannot see."""
    return total is None if where in ("pool", "scope") else total == (n, n * (n + 1) // 2)


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


@each_relay
def test_repr_says_whether_it_runs_in_place_or_as_a_task(run: Run, relay: Any) -> None:
    async def main() -> None:
        async def source() -> Any:
            yield 1

        generator = relay(source())
        assert "(python.iterate, created)" in repr(generator)
        assert await generator.__anext__() == 1
        how = "in place" if relay is t.relay else "as a task"
        assert f"(python.iterate {how}, suspended)" in repr(generator)
        await generator.aclose()

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
        # What is made and does not fit waits in the task: one more than the queue holds.
        assert 3 <= ahead <= 5

    run(main)


# --- native code stops early ---


def test_cleanup_has_run_when_a_stream_that_was_cancelled_in_place_ends(run: Run) -> None:
    async def main() -> None:
        source = Source(100)
        assert await t.total(source, limit=3) == (3, 6)
        assert source.log == ["GeneratorExit", "cleaning", "clean"]

    run(main)


@pytest.mark.parametrize("where", ["task", "pool", "scope"])
def test_cleanup_runs_where_a_stream_is_cancelled_elsewhere(run: Run, where: str) -> None:
    async def main() -> None:
        source = Source(100)
        assert counted(await t.total(source, limit=3, where=where), 3, where)
        await until(lambda: source.log[-1:] == ["clean"])
        assert source.log == ["GeneratorExit", "cleaning", "clean"]

    run(main)


@each_place
def test_cleanup_of_a_stream_that_was_destroyed_is_left_to_a_task(run: Run, where: str) -> None:
    async def main() -> None:
        source = Source(100)
        assert counted(await t.total(source, limit=3, stop="destroy", where=where), 3, where)
        assert where != "place" or source.log == []
        await until(lambda: source.log[-1:] == ["clean"])
        assert source.log == ["GeneratorExit", "cleaning", "clean"]

    run(main)


@posted_too
@pytest.mark.parametrize("stop", ["cancel", "destroy"])
def test_iterator_without_aclose_is_left_as_it_is(run: Run, where: str, stop: str) -> None:
    async def main() -> None:
        source = Source(100)
        inner = source.__aiter__()
        assert await t.total(iterator_class(inner), limit=3, stop=stop, where=where) == (3, 6)
        await settle()
        assert source.log == []
        await inner.aclose()

    run(main)


def test_generator_that_yields_after_its_exit_is_an_error_of_who_awaits_its_end(run: Run) -> None:
    async def main() -> None:
        async def stubborn() -> Any:
            try:
                yield 1
                yield 2
            except GeneratorExit:
                yield 3

        with pytest.raises(RuntimeError, match="async generator ignored GeneratorExit"):
            await t.total(stubborn(), limit=1)
        generator = t.relay(stubborn())
        assert await anext(generator) == 1
        with pytest.raises(RuntimeError, match="async generator ignored GeneratorExit"):
            await generator.aclose()

    run(main)


@posted_too
def test_failure_of_a_cleanup_is_raised_or_where_nobody_awaits_it_reported(
    run: Run, unraisable: list[str], where: str
) -> None:
    async def main() -> None:
        async def fails() -> Any:
            try:
                yield 1
            finally:
                await turn()
                raise KeyError("in cleanup")

        assert await t.total(fails(), limit=1, stop="destroy", where=where) == (1, 1)
        await until(lambda: unraisable)
        assert "KeyError: 'in cleanup'" in unraisable.pop()
        with pytest.raises(KeyError, match="in cleanup"):
            await t.total(fails(), limit=1, where=where)

    run(main)


# --- cancellation ---


@each_place
def test_cancel_of_the_awaiter_reaches_the_iterable(run: Run, where: str) -> None:
    async def main() -> None:
        log: list[Any] = []

        async def source() -> Any:
            yield 1
            log.append("begun")
            try:
                await sleep(60)
            except BaseException as error:
                log.append(type(error))
                raise

        task = await started(t.total(source(), where=where))
        await until(lambda: log)
        task.cancel()
        assert await ended(task) == "cancelled"
        await until(lambda: len(log) == 2)
        assert log == ["begun", cancellation()]

    run(main)


def test_cancel_while_native_code_stops_it_is_not_lost(run: Run) -> None:
    async def main() -> None:
        async def slow() -> Any:
            try:
                while True:
                    yield 1
            finally:
                await sleep(60)

        task = await started(t.total(slow(), limit=1))
        task.cancel()
        assert await ended(task) == "cancelled"

    run(main)


@posted_too
def test_iterable_that_cancels_itself_ends_it(run: Run, where: str, kind: str) -> None:
    if "trio" in kind:
        pytest.skip("trio raises its Cancelled itself, and lets nobody else make one")

    async def source() -> Any:
        yield 1
        raise cancellation()("own")

    async def main() -> None:
        with pytest.raises(cancellation(), match="own"):
            await t.total(source(), where=where)

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
    """The queue is full, and not, while the other side is being told of it."""

    async def source() -> Any:
        for n in range(1, 6):
            yield n

    async def main() -> None:
        for _ in range(1000):
            await t.total(source(), where="pool", capacity=3)

    run_kind("asyncio", loop_errors, main)
