"""Async functions in C: they await Python in place, catch what it raises, and clean up."""

from __future__ import annotations

import gc
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

import _cawait_test as t
from support.children.asan import ASAN
from support.common import cancelled, settle, sleep, spawn, started, turn, until

Run = Callable[..., Any]


async def value(what: Any, turns: int = 1) -> Any:
    for _ in range(turns):
        await turn()
    return what


async def raising(error: BaseException, turns: int = 1) -> None:
    for _ in range(turns):
        await turn()
    raise error


def test_it_awaits_one_after_another_in_place(run: Run) -> None:
    async def main() -> None:
        assert await t.routine((value(1), value(2, 0), t.ready(3), value(4, 5))) == [1, 2, 3, 4]
        assert await t.routine(()) == []

    run(main)


def test_signature_and_arguments_are_those_of_a_function(run: Run) -> None:
    assert inspect.iscoroutinefunction(t.routine)
    assert str(inspect.signature(t.routine)) == "(awaitables, cleanup=None, catches=None)"
    for wrong in (lambda: t.routine(), lambda: t.routine([]), lambda: t.makes_nothing(1), lambda: t.naps(n=1)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        t.makes_nothing(one=1)


def test_exception_is_caught_or_goes_on_as_the_same_object(run: Run) -> None:
    async def main() -> None:
        caught = (raising(KeyError(1)), value(2), raising(KeyError(3), 0))
        assert await t.routine(caught, catches=KeyError) == [(1,), 2, (3,)]
        for turns in (0, 2):
            error = LookupError("it")
            later = value(1)
            with pytest.raises(LookupError) as seen:
                await t.routine((value(0), raising(error, turns), later), catches=KeyError)
            assert seen.value is error
            later.close()

    run(main)


@pytest.mark.parametrize("fails", [False, True], ids=["well", "badly"])
def test_final_part_that_awaits_keeps_the_exception(run: Run, fails: bool) -> None:
    """Also where the cleanup raises one of its own."""

    async def main() -> None:
        for turns in (0, 2):
            error = LookupError("it")
            cleanup = raising(OSError(), turns) if fails else value(1, turns)
            with pytest.raises(LookupError) as seen:
                await t.routine((raising(error, turns),), cleanup)
            assert seen.value is error
        if fails:
            with pytest.raises(OSError):
                await t.routine((), raising(OSError(), 1))

    run(main)


def test_maker_that_raises_is_its_exception(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="can't be used in 'await' expression"):
            await t.makes_nothing()

    run(main)


def test_cancel_reaches_what_is_awaited_and_the_final_part_runs(run: Run) -> None:
    async def main() -> None:
        log: list[str] = []

        async def waits() -> None:
            log.append("begin")
            try:
                await sleep(60)
            finally:
                log.append("end")

        async def cleans() -> None:
            log.append("cleanup")

        task = await started(t.routine((value(1), waits()), cleans()))
        await until(lambda: log)
        await cancelled(task)
        assert log == ["begin", "end", "cleanup"]

    run(main)


def test_what_is_dropped_is_cleaned_up(run: Run) -> None:
    async def main() -> None:
        given = [value(1), value(2, turns=100_000), value(3)]
        unbegun = t.routine((given[0],))
        unbegun.close()
        task = await started(t.routine((given[1], given[2])))
        await cancelled(task)
        t.routine((), given[2]).close()
        gc.collect()
        for one in given:
            one.close()

    run(main)


def test_generator_in_c_gives_items_and_ends_its_source(run: Run) -> None:
    async def main() -> None:
        log: list[str] = []

        async def numbers(n: int) -> AsyncIterator[Any]:
            try:
                for k in range(n):
                    await turn()
                    yield k
            finally:
                log.append("end")

        assert inspect.isasyncgenfunction(t.doubled)
        assert [item async for item in t.doubled(numbers(4))] == [0, 2, 4, 6]
        assert log == ["end"]
        generator = t.doubled(numbers(4))
        async for item in generator:
            if item == 2:
                break
        await generator.aclose()
        while len(log) < 2:
            await turn()
        with pytest.raises(TypeError):
            t.doubled(3)

        async def words() -> AsyncIterator[Any]:
            yield 1
            yield {}

        with pytest.raises(TypeError):
            async for item in t.doubled(words()):
                assert item == 2
        await settle()

    run(main)


def test_thousand_at_once_all_end(run: Run) -> None:
    async def main() -> None:
        tasks = [spawn(t.routine((value(k), value(k + 1)))) for k in range(1000)]
        for k, task in enumerate(tasks):
            assert await task == [k, k + 1]

    run(main)


def test_coroutine_of_c_is_driven_by_hand() -> None:
    coroutine: Coroutine[Any, Any, Any] = t.routine(())
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert stop.value.value == []


@pytest.mark.skipif(ASAN, reason="AddressSanitizer ends a process that asks for so much memory")
def test_frame_that_there_is_no_memory_for_is_a_memory_error() -> None:
    for function, given in ((t.too_large, ()), (t.too_large_to_parse, (1, 2)), (t.too_large_to_yield, ())):
        with pytest.raises(MemoryError):
            function(*given)
