"""Async iterables of Python that C stops, drops, or is cancelled in: their cleanup, and what is raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import cancellation, ended, settle, sleep, started, turn, until
from support.iterables import Source, counted, each_place, iterator_class, posted_too
from support.kinds import MAIN_KINDS, kind_fixture

Run = Callable[..., Any]

kind = kind_fixture(MAIN_KINDS)  # what is built on awaiting is tested on one of each kind


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
