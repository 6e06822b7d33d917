"""Async generators made in C in the language: `async for`, comprehensions, anext, aclosing, and generators of Python
around them, on every framework."""

from __future__ import annotations

import builtins
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import ended, on_trio, settle, spawn, started, turn, until

Run = Callable[..., Any]


async def items(generator: AsyncIterator[Any]) -> list[Any]:
    """All of them."""
    return [item async for item in generator]


def test_loop_gets_all_items_and_goes_to_else(run: Run) -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []
        async for n in t.numbers(5):
            seen.append(n)
        else:
            seen.append("else")
        return seen

    assert run(main) == [0, 1, 2, 3, 4, "else"]


def test_break_leaves_the_rest_to_the_next_loop(run: Run) -> None:
    async def main() -> Any:
        generator = t.numbers(5)
        async for n in generator:
            if n == 1:
                break
        else:
            raise AssertionError
        return n, await items(generator), await items(generator)

    assert run(main) == (1, [2, 3, 4], [])


def test_continue_return_and_exceptions_leave_a_loop_as_always(run: Run) -> None:
    async def first_even_above(n: int) -> Any:
        async for one in t.numbers(100):
            if one % 2:
                continue
            if one > n:
                return one

    async def fails() -> None:
        async for one in t.numbers(10):
            if one == 3:
                raise KeyError(one)

    async def main() -> None:
        assert await first_even_above(50) == 52
        with pytest.raises(KeyError, match="3"):
            await fails()

    run(main)


def test_comprehensions_nest_and_filter(run: Run) -> None:
    async def main() -> Any:
        pairs = [(a, b) async for a in t.numbers(3) async for b in t.numbers(2) if a != b]
        return pairs, {a async for a in t.numbers(3)}, {a: [b async for b in t.numbers(a)] async for a in t.numbers(3)}

    pairs, numbers, table = run(main)
    assert pairs == [(0, 1), (1, 0), (2, 0), (2, 1)]
    assert (numbers, table) == ({0, 1, 2}, {0: [], 1: [0], 2: [0, 1]})


def test_anext_gives_an_item_then_the_default_or_the_end(run: Run) -> None:
    async def main() -> Any:
        generator = t.numbers(2)
        assert builtins.aiter(generator) is generator
        seen = [await anext(generator), await anext(generator, "default"), await anext(generator, "default")]
        with pytest.raises(StopAsyncIteration):
            await anext(generator)
        return [*seen, await anext(generator, None)]

    assert run(main) == [0, 1, "default", None]


def test_anext_with_a_default_waits_for_an_item(run: Run) -> None:
    async def main() -> Any:
        channel = t.Channel(2)
        generator = channel.generator()

        async def with_default() -> Any:  # no task can be made of the awaitable of anext() here
            return await anext(generator, "default")

        task = await started(with_default())
        channel.try_send(3)
        first = await ended(task)
        channel.close()
        return first, await with_default()

    assert run(main) == (3, "default")


def test_aclosing_ends_the_native_side_at_the_end_of_its_block(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(4)
        channel.try_send(1)
        generator = channel.generator()
        async with contextlib.aclosing(generator) as same:
            async for n in same:
                assert n == 1 and channel.cancelled == 0
                break
            assert channel.cancelled == 0
        assert channel.cancelled == 1 and generator.ag_frame is None
        assert channel.try_send(2) < 0

    run(main)


def test_generator_of_python_delegates_to_it(run: Run) -> None:
    async def doubled(generator: AsyncIterator[int]) -> Any:
        async for n in generator:
            yield 2 * n
        yield "end"

    async def main() -> Any:
        channel = t.Channel(1)
        channel.feed(1, 5)
        channel.release()
        return await items(doubled(channel.generator()))

    assert run(main) == [0, 2, 4, 6, 8, "end"]


def test_items_sent_while_it_waits_arrive_one_by_one(run: Run) -> None:
    async def main() -> list[Any]:
        channel = t.Channel(4)
        seen: list[Any] = []

        async def consumer() -> None:
            async for n in channel.generator():
                seen.append(n)
            seen.append("end")

        task = await started(consumer())
        for n in range(3):
            channel.try_send(n)
            await until(lambda: len(seen) > n)
            assert seen == list(range(n + 1))
        channel.close()
        await ended(task)
        return seen

    assert run(main) == [0, 1, 2, "end"]


def test_error_comes_after_the_items_and_ends_it(run: Run) -> None:
    async def main() -> None:
        seen: list[int] = []
        generator = t.numbers(3, -2)
        with pytest.raises(FileNotFoundError):
            async for n in generator:
                seen.append(n)
        assert seen == [0, 1, 2] and await items(generator) == []
        with pytest.raises(KeyError, match="status -7"):
            await items(t.numbers_or_fail(0, -7))

    run(main)


def test_item_that_cannot_be_made_ends_it_and_tells_the_native_side(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(4)
        for n in (1, -1, 2):
            channel.try_send(n)
        seen: list[int] = []
        generator = channel.generator()
        with pytest.raises(LookupError, match="no value"):
            async for n in generator:
                seen.append(n)
        assert seen == [1] and channel.cancelled == 1 and await items(generator) == []

    run(main)


def test_traceback_names_the_place_of_the_function(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError) as raised:
            await items(t.numbers(0, -2))
        assert str(raised.traceback[-1].path).endswith("streams.c")  # it is a Path only if the file exists

    run(main)


def test_second_step_while_one_waits_is_an_error_and_changes_nothing(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator()
        task = await started(generator.__anext__())
        for name, step in (
            ("anext", generator.__anext__),
            ("anext", lambda: generator.asend(1)),
            ("aclose", generator.aclose),
            ("athrow", lambda: generator.athrow(KeyError)),
        ):
            with pytest.raises(RuntimeError, match=rf"{name}\(\): asynchronous generator is already running"):
                await step()
        channel.try_send(1)
        assert await ended(task) == 1
        channel.try_send(2)
        assert await anext(generator) == 2

    run(main)


def test_items_that_are_there_need_no_suspension(loop_errors: list[Any]) -> None:
    """Driven by hand, without any loop: each step returns at its first send."""
    generator = t.numbers(3)
    for n in range(3):
        with pytest.raises(StopIteration) as stop:
            generator.__anext__().send(None)
        assert stop.value.value == n
    with pytest.raises(StopAsyncIteration):
        generator.__anext__().send(None)


def test_step_that_would_wait_without_a_loop_says_so_and_ends_it(loop_errors: list[Any]) -> None:
    channel = t.Channel(1)
    generator = channel.generator()
    with pytest.raises(RuntimeError, match="event loop|no running"):
        generator.__anext__().send(None)
    assert channel.cancelled == 1


def test_context_variables_of_the_awaiter_are_those_of_the_item_function(run: Run) -> None:
    """A relay's iterable runs in the context of whoever awaits the item."""
    import contextvars

    variable = contextvars.ContextVar("variable", default="none")

    async def says() -> Any:
        while True:
            await turn()
            yield variable.get()

    async def main() -> None:
        generator = t.relay(says())
        seen = []
        for name in "ab":
            variable.set(name)
            seen.append(await anext(generator))
        assert seen == ["a", "b"]
        await generator.aclose()

    run(main)


# --- lists ---


def test_lists_have_what_is_there_and_wait_for_the_first_only(run: Run) -> None:
    async def main() -> Any:
        channel = t.Channel(100)
        generator = channel.generator(batch=3)
        for n in range(7):
            channel.try_send(n)
        seen = [await anext(generator) for _ in range(3)]
        task = await started(generator.__anext__())
        channel.try_send(7)
        seen.append(await ended(task))
        channel.try_send(8)
        channel.close()
        return seen + await items(generator)

    assert run(main) == [[0, 1, 2], [3, 4, 5], [6], [7], [8]]


@pytest.mark.parametrize("status, error", [(-2, FileNotFoundError), (0, StopAsyncIteration)])
def test_end_after_a_part_of_a_list_comes_next(run: Run, status: int, error: type[BaseException]) -> None:
    async def main() -> None:
        generator = t.number_lists(66, status)
        assert await anext(generator) == list(range(64))
        assert await anext(generator) == [64, 65]
        with pytest.raises(error):
            await anext(generator)
        with pytest.raises(StopAsyncIteration):
            await anext(generator)

    run(main)


def test_item_that_cannot_be_made_is_an_error_after_the_values_before_it(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(100)
        for n in (1, 2, -1, 3):
            channel.try_send(n)
        generator = channel.generator(batch=64)
        assert await anext(generator) == [1, 2]
        assert channel.cancelled == 1
        with pytest.raises(LookupError, match="no value"):
            await anext(generator)
        with pytest.raises(StopAsyncIteration):
            await anext(generator)

    run(main)


def test_list_whose_first_item_cannot_be_made_is_an_error(run: Run) -> None:
    async def main() -> None:
        channel = t.Channel(100)
        for n in (-1, 3):
            channel.try_send(n)
        with pytest.raises(LookupError, match="no value"):
            await anext(channel.generator(batch=64))
        assert channel.cancelled == 1

    run(main)


def test_error_kept_for_after_a_list_is_dropped_with_the_generator(run: Run) -> None:
    async def main() -> None:
        for ends in (False, True):
            channel = t.Channel(100)
            for n in (1, -1):
                channel.try_send(n)
            generator = channel.generator(batch=64)
            assert await anext(generator) == [1]
            if ends:
                await generator.aclose()
                with pytest.raises(StopAsyncIteration):
                    await anext(generator)
            del generator
            gc.collect()

    run(main)


# --- other tasks run meanwhile ---


def lists_or_items(batch: bool, n: int) -> Any:
    return t.number_lists(64 * n) if batch else t.numbers(n)


@pytest.mark.parametrize("batch", [False, True], ids=["items", "lists"])
def test_other_tasks_run_during_a_long_run_of_items(run: Run, batch: bool) -> None:
    async def main() -> None:
        turns = 0
        over = False

        async def other() -> None:
            nonlocal turns
            while not over:
                turns += 1
                await turn()

        task = spawn(other())
        n = 0
        async for _ in lists_or_items(batch, 10_000_000):
            n += 1
            if turns >= 5:
                break
        over = True
        await ended(task)
        assert turns >= 5, n

    run(main)


@pytest.mark.parametrize("batch", [False, True], ids=["items", "lists"])
def test_cancel_gets_through_to_a_loop_that_always_has_items(run: Run, batch: bool) -> None:
    async def main() -> None:
        async def consumer() -> None:
            async for _ in lists_or_items(batch, 100_000_000):
                pass

        task = spawn(consumer())
        await turn()
        task.cancel()
        assert await ended(task) == "cancelled"

    run(main)


def test_short_run_of_items_is_not_interrupted(run: Run) -> None:
    async def main() -> None:
        seen = []

        async def other() -> None:
            seen.append("other")

        task = spawn(other())
        if not seen:  # else it was eager
            seen += [n async for n in t.numbers(60)]
            assert seen == list(range(60))
        await ended(task)

    run(main)


def test_generator_goes_on_in_another_loop(run: Run) -> None:
    channel = t.Channel(10)
    generator = channel.generator()

    async def main(n: int) -> Any:
        task = await started(generator.__anext__())
        channel.try_send(n)
        return await ended(task)

    async def first() -> Any:
        value = await main(1)
        await settle()
        return value

    assert run(first) == 1
    if generator.ag_frame is None:  # asyncio knew of it, and has closed it
        assert not on_trio() and channel.cancelled == 1
        return
    assert run(main, 2) == 2
