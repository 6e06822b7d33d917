"""Python code inside several coroutines that await each other in place, which uses these coroutines."""

from __future__ import annotations

import asyncio
import functools
import gc
import types
import unittest.mock
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import _cawait_test as t


@types.coroutine
def give(what: Any) -> Iterator[Any]:
    """Yield it; return what is sent."""
    return (yield what)


async def with_await(awaitable: Any) -> Any:
    """The same with coroutines of Python."""
    return await awaitable


def outcome(call: Callable[[], Any]) -> tuple[str, str]:
    """The outcome of a call."""
    try:
        return "returned", repr(call())
    except BaseException as error:
        return type(error).__name__, str(error)


ACTIONS: dict[str, Callable[[Coroutine[Any, Any, Any]], Any]] = {
    "send": lambda one: one.send(None),
    "throw": lambda one: one.throw(LookupError()),
    "close": lambda one: one.close(),
}


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
@pytest.mark.parametrize("driven", [0, 1, 2])
@pytest.mark.parametrize("action", ACTIONS)
def test_use_from_inside_is_refused_as_with_await(levels: int, driven: int, action: str) -> None:
    """The innermost one uses the outermost one, which may not be the one that is driven."""
    driven = min(driven, levels - 1)

    def outcomes(way: Callable[[Any], Any]) -> list[Any]:
        found: list[Any] = []

        async def innermost() -> int:
            await give(1)
            found.append(outcome(lambda: ACTIONS[action](chain.pop(0)))[0])
            gc.collect()
            found.append([object() for _ in range(100)] and "goes on")
            return 5

        one, chain = innermost(), []
        for _ in range(levels):
            one = way(one)
            chain.insert(0, one)
        one.send(None)
        one = chain[driven]
        if driven:
            del chain[1:]
        found.append(outcome(lambda: one.send(None)))
        while chain:
            found.append(outcome(chain.pop().close))
        return found

    assert outcomes(t.await_) == outcomes(with_await)


def test_close_from_inside_what_is_given_up_is_refused() -> None:
    """The inner one waits for a timer when it is closed, so all of them are dropped."""
    found = []

    class Closes:
        def __call__(self) -> Any:
            return give(2)

        def __del__(self) -> None:
            found.append(outcome(outer[0].close))

    async def main() -> None:
        outer.append(t.await_(t.in_turn([give(1), Closes()], on_error="cleanup")))
        outer[0].send(None)
        outer[0].close()
        assert not outer[0].cr_running and outer[0].cr_await is None

    outer: list[Any] = []
    asyncio.run(main())
    assert found == [("ValueError", "coroutine already executing")]


def test_coroutine_that_awaits_itself_is_refused_in_the_same_way_every_time() -> None:
    """What CPython 3.12 says its cr_await is depends on counters in its bytecode."""

    async def itself() -> None:
        await t.await_(one)

    found = []
    for _ in range(2000):
        one = itself()
        found.append(outcome(functools.partial(one.send, None)))
    assert set(found) == {("ValueError", "coroutine already executing")}


def test_refused_awaiter_leaves_the_one_that_awaits_in_peace() -> None:
    """The second one is refused when the first one has just begun."""

    class Late:
        def __await__(self) -> Any:
            return shared

        def __del__(self) -> None:
            first.append(t.await_(shared))
            assert first[0].send(None) == 1

    async def body() -> int:
        await give(1)
        return 5

    first: list[Any] = []
    shared = t.await_(body())
    assert outcome(lambda: t.await_(Late()).send(None)) == ("RuntimeError", "coroutine is being awaited already")
    assert outcome(lambda: first[0].send(None)) == ("StopIteration", "5")


# --- awaitables that are badly made ---


class Iterates:
    """An awaitable that is its own iterator."""

    def __await__(self) -> Iterates:
        return self

    def __iter__(self) -> Iterates:
        return self

    def __next__(self) -> int:
        return 1


class NoThrow(Iterates):
    def __getattr__(self, name: str) -> Any:
        if name == "throw":
            raise KeyboardInterrupt("no throw")
        raise AttributeError(name)


class NoClose(Iterates):
    def __getattr__(self, name: str) -> Any:
        if name == "close":
            raise ZeroDivisionError("no close")
        raise AttributeError(name)


@pytest.mark.parametrize("kind", [Iterates, NoThrow, NoClose])
@pytest.mark.parametrize("action", ["throw", "close"])
def test_failing_look_up_of_a_method_is_told_as_with_await(kind: type, action: str, unraisable: list[Any]) -> None:
    found = []
    for way in (with_await, t.await_):
        one = way(kind())
        one.send(None)
        found.append((outcome(lambda: ACTIONS[action](one)), len(unraisable)))
        unraisable.clear()
    assert found[0] == found[1]


def test_object_that_only_looks_awaitable_is_a_type_error(run: Callable[..., Any]) -> None:
    class ReturnsCoroutine:
        def __await__(self) -> Any:
            return give(1)

    async def main() -> None:
        for bad in (unittest.mock.Mock(), unittest.mock.MagicMock()):
            with pytest.raises(TypeError, match="can't be used in 'await' expression"):
                await t.await_(bad)
        with pytest.raises(TypeError, match="__await__\\(\\) returned a coroutine"):
            await t.await_(ReturnsCoroutine())

    run(main)


def test_exception_that_was_replaced_is_let_go_of() -> None:
    class Trouble(Exception):
        alive = 0

        def __init__(self) -> None:
            Trouble.alive += 1

        def __del__(self) -> None:
            Trouble.alive -= 1

    async def failing() -> None:
        raise Trouble

    async def main() -> None:
        one = t.in_turn([failing()], on_error="swap")
        with pytest.raises(TimeoutError):
            await one
        gc.collect()
        assert Trouble.alive == 0

    asyncio.run(main())
