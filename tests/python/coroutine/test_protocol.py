"""A coroutine made in C behaves as one of `async def`: in the language, and for send, throw, close and await."""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import inspect
import pickle
import types
import typing
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import resolved_soon

# --- the language ---


def test_async_functions_nest_around_it(run: Callable[..., Any]) -> None:
    async def nested(depth: int) -> Any:
        return await (nested(depth - 1) if depth else resolved_soon(t.Op("deep")))

    assert run(nested, 20) == "deep"


def test_generator_coroutine_yields_from_it(run: Callable[..., Any]) -> None:
    @types.coroutine
    def old_style() -> Any:
        first = yield from t.ready(1)
        second = yield from t.yield_times(2)
        return first, second

    async def main() -> Any:
        return await old_style()

    assert run(main) == (1, None)


def test_await_method_gives_an_iterator_with_all_methods(run: Callable[..., Any]) -> None:
    class Wrapper:
        def __await__(self) -> Any:
            return (yield from t.ready(5).__await__())

    async def main() -> Any:
        return await Wrapper()

    assert run(main) == 5
    coroutine = t.ready(5)
    iterator = coroutine.__await__()
    assert iter(iterator) is iterator
    for name in ("__next__", "send", "throw", "close"):
        assert callable(getattr(iterator, name))
    with pytest.raises(StopIteration) as stop:
        next(iterator)
    assert stop.value.value == 5


def test_abstract_classes_and_asyncio_recognise_it() -> None:
    coroutine = t.ready(1)
    for kind in (collections.abc.Coroutine, collections.abc.Awaitable, typing.Coroutine, typing.Awaitable):
        assert isinstance(coroutine, kind)
    assert not isinstance(coroutine, collections.abc.AsyncIterator)
    assert asyncio.iscoroutine(coroutine)
    assert inspect.isawaitable(coroutine)
    assert not asyncio.isfuture(coroutine)
    coroutine.close()


# --- the same outcomes as a coroutine of Python ---


async def python_ready(value: Any) -> Any:
    return value


Script = Callable[[Any], list[Any]]


def attempt(function: Callable[..., Any], *args: Any) -> Any:
    """The outcome of a call in a form that can be compared."""
    try:
        return "returned", function(*args)
    except BaseException as error:
        return type(error), str(error), type(error.__cause__), getattr(error, "value", None)


def send_twice(c: Any) -> list[Any]:
    return [attempt(c.send, None), attempt(c.send, None), attempt(c.close)]


def send_a_value_first(c: Any) -> list[Any]:
    return [attempt(c.send, 1), inspect.getcoroutinestate(c), attempt(c.send, None)]


def throw_instance(c: Any) -> list[Any]:
    return [attempt(c.throw, KeyError("k")), attempt(c.send, None), inspect.getcoroutinestate(c)]


def throw_class(c: Any) -> list[Any]:
    return [attempt(c.throw, KeyError), attempt(c.throw, KeyError)]


def throw_stop_async_iteration(c: Any) -> list[Any]:
    return [attempt(c.throw, StopAsyncIteration(3))]


def throw_generator_exit(c: Any) -> list[Any]:
    return [attempt(c.throw, GeneratorExit), attempt(c.close)]


def throw_what_is_no_exception(c: Any) -> list[Any]:
    return [attempt(c.throw, 1)[0], attempt(c.throw)[0], attempt(c.throw, int)[0], attempt(c.close)]


def close_twice(c: Any) -> list[Any]:
    return [attempt(c.close), attempt(c.close), attempt(c.send, None), attempt(c.throw, KeyError("k"))]


def await_twice(c: Any) -> list[Any]:
    async def user() -> Any:
        return await c

    return [attempt(user().send, None), attempt(user().send, None)]


def look_at_it(c: Any) -> list[Any]:
    seen = [c.cr_running, c.cr_await, c.cr_origin, set(inspect.getcoroutinelocals(c)) - {"value"}]
    c.close()
    return [*seen, c.cr_running, c.cr_frame, c.cr_await, inspect.getcoroutinelocals(c)]


def rename_it(c: Any) -> list[Any]:
    c.__name__, c.__qualname__ = "a", "b.a"
    seen = [c.__name__, c.__qualname__, "coroutine b.a" in repr(c) or "coroutine object b.a" in repr(c)]
    for bad in (1, None, b"x"):
        seen += [attempt(setattr, c, "__name__", bad), attempt(setattr, c, "__qualname__", bad)]
    seen += [attempt(delattr, c, "__name__")]
    c.close()
    return seen


def set_what_cannot_be_set(c: Any) -> list[Any]:
    names = ("cr_running", "cr_await", "cr_frame", "cr_code", "cr_origin", "something_new")
    seen = [attempt(setattr, c, name, 1)[0] for name in names]
    c.close()
    return seen


def compare_and_hash(c: Any) -> list[Any]:
    seen = [c == c, c != c, c == object(), len({c, c}), bool(c)]
    c.close()
    return seen


def copy_it(c: Any) -> list[Any]:
    seen = [attempt(copy.copy, c)[0], attempt(copy.deepcopy, c)[0], attempt(pickle.dumps, c)[0]]
    c.close()
    return seen


SCRIPTS = [
    send_twice,
    send_a_value_first,
    throw_instance,
    throw_class,
    throw_stop_async_iteration,
    throw_generator_exit,
    throw_what_is_no_exception,
    close_twice,
    await_twice,
    look_at_it,
    rename_it,
    set_what_cannot_be_set,
    compare_and_hash,
    copy_it,
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_it_answers_as_a_coroutine_of_python_does(script: Script) -> None:
    assert script(t.ready(7)) == script(python_ready(7))


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature:DeprecationWarning")
def test_throw_with_three_arguments_answers_as_a_coroutine_of_python_does() -> None:
    def traceback() -> types.TracebackType:
        try:
            raise ValueError
        except ValueError as error:
            assert error.__traceback__
            return error.__traceback__

    def arguments() -> list[tuple[Any, ...]]:
        instance = KeyError("instance")
        return [
            (KeyError, "text"),
            (KeyError, ("two", "values")),
            (KeyError, None),
            (KeyError, instance),
            (KeyError, None, traceback()),
            (KeyError, instance, None),
            (instance, None, traceback()),
            (instance, None, None),
            (instance, "a value"),
            (KeyError, "text", "no traceback"),
            (KeyError, ValueError("other")),
            (KeyError, 1, None, None),
        ]

    def outcomes(make: Callable[[int], Any]) -> list[Any]:
        seen = []
        for args in arguments():
            coroutine = make(1)
            outcome = attempt(coroutine.throw, *args)
            seen.append(outcome[0] if outcome[0] is TypeError else outcome)
            coroutine.close()
        return seen

    assert outcomes(t.ready) == outcomes(python_ready)


# --- arguments ---


def test_value_sent_first_is_an_error_and_starts_nothing() -> None:
    op = t.Op()
    coroutine = op.wait()
    with pytest.raises(TypeError, match="can't send non-None value to a just-started coroutine"):
        coroutine.send(1)
    assert op.started == 0
    coroutine.close()


def test_value_sent_later_is_ignored(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op("value")
        coroutine = op.wait()
        park = coroutine.send(None)
        woken = asyncio.get_running_loop().create_future()
        park._asyncio_future_blocking = False
        park.add_done_callback(lambda park: woken.set_result(None))
        op.resolve()
        await woken
        with pytest.raises(StopIteration) as stop:
            coroutine.send("ignored")
        assert stop.value.value == "value"

    run_asyncio(main)


def test_type_cannot_be_made_or_changed() -> None:
    coroutine = t.ready(1)
    kind = type(coroutine)
    with pytest.raises(TypeError):
        kind()
    with pytest.raises(TypeError):
        kind.something = 1
    with pytest.raises(TypeError):
        type("Sub", (kind,), {})
    coroutine.close()
