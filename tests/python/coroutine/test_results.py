"""The results of awaits: any object arrives intact, however the coroutine is resumed, and a result function that breaks
its contract causes an error."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import awaiting, spawn


class Thing:
    """An object that tests can see being dropped."""

    def __repr__(self) -> str:
        return "Thing()"


VALUES = [
    None,
    5,
    2**100,
    "text",
    (),
    (1, 2),
    (ValueError, 1),
    [1],
    ValueError("an instance"),
    ValueError,
    StopIteration(3),
    StopIteration(),
    StopIteration,
    StopAsyncIteration(4),
    GeneratorExit(),
    asyncio.CancelledError("not raised"),
    KeyboardInterrupt(),
    NotImplemented,
    Thing(),
]


def returned(resume: Callable[[], Any]) -> Any:
    """The value with which a generator or coroutine ends when it is resumed."""
    try:
        resume()
    except StopIteration as stop:
        return stop.value
    raise AssertionError("not ended")


def by_send(coroutine: Any) -> Any:
    return returned(lambda: coroutine.send(None))


def by_next(coroutine: Any) -> Any:
    return returned(coroutine.__await__().__next__)


def by_await(coroutine: Any) -> Any:
    async def user() -> Any:
        return await coroutine

    return by_send(user())


def by_yield_from(coroutine: Any) -> Any:
    def generator() -> Any:
        return (yield from coroutine.__await__())

    return returned(generator().__next__)


WAYS = [by_send, by_next, by_await, by_yield_from]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@ways
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_value_comes_through_intact(way: Callable[[Any], Any], value: Any) -> None:
    assert way(t.ready(value)) is value


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_value_comes_through_a_task(run: Callable[..., Any], value: Any) -> None:
    async def main() -> Any:
        op = t.Op(value)
        op.resolve_later(0)
        return await t.ready(value) is value and await op.wait() is value

    assert run(main)


@ways
def test_no_result_function_gives_none(way: Callable[[Any], Any]) -> None:
    assert way(t.ready_none(5)) is None


def test_task_has_the_value(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for value in [(1, 2), 5, None, ValueError("x"), Thing()]:
            assert await spawn(t.ready(value)) is value

    run(main)


def test_loop_over_its_iterator_ends_at_once() -> None:
    assert list(t.ready(5).__await__()) == []


# --- the reused StopIteration ---


def stop_of_next(coroutine: Any) -> StopIteration:
    with pytest.raises(StopIteration) as stop:
        next(coroutine.__await__())
    return stop.value


def test_stop_iteration_that_somebody_keeps_never_changes() -> None:
    kept = [stop_of_next(t.ready(i)) for i in range(5)]
    for i in range(100, 105):
        assert by_await(t.ready(i)) == i
    assert [stop.value for stop in kept] == [0, 1, 2, 3, 4]
    assert len(set(map(id, kept))) == 5


def test_stop_iteration_caught_by_python_code_is_clean_next_time() -> None:
    for i in range(5):
        try:
            try:
                raise KeyError("context")
            except KeyError:
                next(t.ready(i).__await__())
        except StopIteration as stop:
            assert stop.value == i
    stop = stop_of_next(t.ready("last"))
    assert (stop.value, stop.__context__, stop.__cause__) == ("last", None, None)


@pytest.mark.parametrize("way", [by_send, by_await, by_yield_from], ids=lambda way: way.__name__)
def test_value_is_not_kept_alive(way: Callable[[Any], Any]) -> None:
    for _ in range(3):
        thing = Thing()
        reference = weakref.ref(thing)
        result = way(t.ready(thing))
        assert result is thing
        del thing, result
        assert reference() is None


def test_value_taken_by_next_is_kept_alive_until_another_coroutine_ends() -> None:
    """next() in Python attaches a traceback to the exception, which keeps the caller's frame alive."""
    reference = weakref.ref(by_next(t.ready(Thing())))
    by_await(t.ready_none(1))
    assert reference() is None


def test_value_is_not_kept_alive_longer_than_the_ended_coroutine() -> None:
    reference = None

    async def user(coroutine: Any) -> None:
        nonlocal reference
        reference = weakref.ref(await coroutine)

    coroutine = t.ready(Thing())
    by_send(user(coroutine))
    del coroutine
    assert reference is not None and reference() is None


def test_value_is_not_kept_after_the_await(run: Callable[..., Any]) -> None:
    async def main() -> None:
        value = Thing()
        alive = weakref.ref(value)
        op = t.Op(value)
        op.resolve_later(200)
        assert await op.wait() is value
        del op, value
        for _ in range(3):
            await t.ready(None)
        gc.collect()
        assert alive() is None

    run(main)


def test_argument_is_not_kept_alive_by_an_ended_coroutine() -> None:
    thing = Thing()
    reference = weakref.ref(thing)
    coroutine = t.ready_none(thing)
    by_send(coroutine)
    del thing
    assert reference() is None
    coroutine.close()


def test_value_whose_end_awaits_does_not_disturb_the_next_value() -> None:
    inner = []

    class AwaitsAtItsEnd:
        def __del__(self) -> None:
            inner.append(by_await(t.ready("inner")))

    async def user() -> Any:
        kept = t.ready(AwaitsAtItsEnd())
        await kept  # the value is dropped here, or when the next one takes its place
        return await t.ready("outer"), await t.ready("after")

    for _ in range(3):
        assert by_send(user()) == ("outer", "after")
    gc.collect()
    assert inner == ["inner"] * 3


def test_nested_awaits_do_not_mix_their_values() -> None:
    async def nested(depth: int) -> Any:
        here = await t.ready(depth)
        below = await nested(depth - 1) if depth else []
        return [here, *below, await t.ready(-depth)]

    assert by_send(nested(3)) == [3, 2, 1, 0, 0, -1, -2, -3]


# --- functions that break their contract ---


@pytest.mark.parametrize(
    "function, kind, message, cause",
    [
        (t.result_raises, ZeroDivisionError, "from result", type(None)),
        (t.result_raises_stop, RuntimeError, "coroutine raised StopIteration", StopIteration),
        (
            t.result_null,
            SystemError,
            "the result function of 'result_null' returned NULL without an exception",
            type(None),
        ),
        (
            t.result_and_exception,
            SystemError,
            "the result function of 'result_and_exception' returned a value with an exception set",
            KeyError,
        ),
    ],
    ids=["raises", "raises StopIteration", "NULL", "value and exception"],
)
def test_result_function_that_fails_is_an_error_with_its_cause(
    run: Callable[..., Any], function: Callable[[Any], Any], kind: type, message: str, cause: type
) -> None:
    async def main() -> None:
        for wrap in (awaiting, spawn):
            with pytest.raises(kind) as caught:
                await wrap(function(1))
            error = caught.value
            assert (type(error), str(error), type(error.__cause__)) == (kind, message, cause)

    run(main)


@pytest.mark.parametrize("name", ["result_raises", "result_raises_stop", "result_null", "result_and_exception"])
def test_future_is_destroyed_when_its_result_function_fails(name: str) -> None:
    before = t.live_futures()
    thing = Thing()
    reference = weakref.ref(thing)
    coroutine = getattr(t, name)(thing)
    del thing
    with pytest.raises((ZeroDivisionError, RuntimeError, SystemError)):
        coroutine.send(None)
    assert t.live_futures() == before
    assert reference() is None
    with pytest.raises(RuntimeError, match="cannot reuse"):
        coroutine.send(None)


def test_result_function_is_not_called_after_close() -> None:
    coroutine = t.result_raises(1)
    coroutine.close()
    with pytest.raises(RuntimeError, match="cannot reuse"):
        coroutine.send(None)


def test_start_that_returns_null_without_an_exception_is_a_memory_error_at_the_call() -> None:
    before = t.live_futures()
    with pytest.raises(MemoryError):
        t.start_null()
    assert t.live_futures() == before


def test_start_that_returns_both_is_a_system_error_at_the_call() -> None:
    before = t.live_futures()
    with pytest.raises(SystemError, match="start function of 'start_confused' returned a future with an exception"):
        t.start_confused()
    assert t.live_futures() == before
