"""The attributes of an async generator made in C, compared with one of Python, state by state."""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import gc
import inspect
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import since_312
from support.frameworks import run_kind
from support.twin import Side, attempt, ours, step, theirs

# --- attributes, in each state ---


def look(side: Side) -> dict[str, Any]:
    """The attributes, as far as they can be compared; newer ones only if Python has them too."""
    g = side.generator
    return {
        "ag_running": g.ag_running,
        "ag_await": g.ag_await is not None,
        "ag_frame": g.ag_frame is not None,
        "ag_code": g.ag_code.co_name,
        "ag_suspended": getattr(g, "ag_suspended", None) if hasattr(theirs().generator, "ag_suspended") else None,
        "state": inspect.getasyncgenstate(g) if hasattr(inspect, "getasyncgenstate") else None,
    }


async def through_all_states(side: Side) -> list[Any]:
    """The attributes seen on the way."""
    seen = [look(side)]
    first = side.generator.__anext__()
    seen.append(look(side))
    assert step(first) == "pending"
    seen.append(look(side))
    await side.put(1)
    seen.append(look(side))
    assert step(first) == ("value", 1)
    seen.append(look(side))
    closing = side.generator.aclose()
    seen.append(look(side))
    assert step(closing) == ("value", None)
    return [*seen, look(side)]


def test_attributes_say_in_each_state_what_those_of_python_say() -> None:
    async def main() -> None:
        assert await through_all_states(ours()) == await through_all_states(theirs())

    asyncio.run(main())


@pytest.mark.parametrize("end", [0, -2])
def test_attributes_after_the_end_say_what_those_of_python_say(end: int) -> None:
    async def ended(side: Side) -> Any:
        pending = side.generator.__anext__()
        assert step(pending) == "pending"
        await side.end(end)
        return step(pending), look(side)

    async def main() -> None:
        assert await ended(ours()) == await ended(theirs())

    asyncio.run(main())


@pytest.mark.parametrize("how", ["in place", "as a task"])
def test_repr_says_whether_a_python_iterable_runs_in_place_or_as_a_task(how: str) -> None:
    async def source() -> Any:
        yield 1

    async def main() -> None:
        g = t.relay(source()) if how == "in place" else t.relay_posted(source(), 1)
        assert "(python.iterate, created)" in repr(g)
        assert await g.__anext__() == 1
        assert f"(python.iterate {how}, suspended)" in repr(g)
        await g.aclose()

    asyncio.run(main())


def test_repr_names_function_stream_and_state() -> None:
    async def main() -> None:
        side = ours()
        g = side.generator
        seen = [repr(g)]
        pending = g.__anext__()
        step(pending)
        seen.append(repr(g))
        await side.put(1)
        step(pending)
        seen.append(repr(g))
        await g.aclose()
        seen.append(repr(g))
        assert [one[: one.index(" at 0x")] for one in seen] == [
            "<async_generator numbers (channel, created)",
            "<async_generator numbers (channel, running)",
            "<async_generator numbers (channel, suspended)",
            "<async_generator numbers (closed)",
        ]

    asyncio.run(main())


# --- the same outcomes as a generator of Python ---


def rename_it(g: Any) -> list[Any]:
    g.__name__, g.__qualname__ = "a", "b.a"
    seen = [g.__name__, g.__qualname__, "b.a" in repr(g)]
    for bad in (1, None, b"x"):
        seen += [attempt(setattr, g, "__name__", bad), attempt(setattr, g, "__qualname__", bad)]
    return [*seen, attempt(delattr, g, "__name__"), attempt(delattr, g, "__qualname__"), g.__name__]


def set_what_cannot_be_set(g: Any) -> list[Any]:
    names = ("ag_running", "ag_await", "ag_frame", "ag_code", "something_new", "__class__")
    return [attempt(setattr, g, name, 1)[0] for name in names]


def compare_and_hash(g: Any) -> list[Any]:
    return [g == g, g != g, g == object(), len({g, g}), bool(g), g.__aiter__() is g]


def copy_it(g: Any) -> list[Any]:
    return [attempt(copy.copy, g)[0], attempt(copy.deepcopy, g)[0], attempt(pickle.dumps, g)[0]]


def use_it_as_something_else(g: Any) -> list[Any]:
    async def awaits() -> None:
        await g

    return [
        attempt(use)[0] for use in (lambda: iter(g), lambda: next(g), g, lambda: awaits().send(None), lambda: len(g))
    ]


def ask_what_it_is(g: Any) -> list[Any]:
    kinds = ("AsyncGenerator", "AsyncIterator", "AsyncIterable", "Coroutine", "Awaitable", "Iterator", "Generator")
    seen = [isinstance(g, getattr(collections.abc, name)) for name in kinds]
    asked = (inspect.isawaitable, inspect.iscoroutine, asyncio.iscoroutine, asyncio.isfuture, inspect.isgenerator)
    return [*seen, *(ask(g) for ask in asked)]


def make_and_change_the_type(g: Any) -> list[Any]:
    kind = type(g)
    seen = [attempt(kind)[0], attempt(setattr, kind, "something", 1)[0], attempt(type, "Sub", (kind,), {})[0]]
    return [*seen, kind[int].__args__, attempt(weakref.ref, g)[0] is not TypeError]


def look_at_a_step(g: Any) -> list[Any]:
    seen = []
    for made in (g.__anext__(), g.asend(None), g.asend(1), g.athrow(KeyError), g.aclose()):
        kinds = (collections.abc.Coroutine, collections.abc.Awaitable)
        seen += [isinstance(made, kind) for kind in kinds]
        seen += [inspect.isawaitable(made), made.__await__() is made, iter(made) is made]
        del made
    return seen


SCRIPTS = [
    rename_it,
    set_what_cannot_be_set,
    compare_and_hash,
    copy_it,
    use_it_as_something_else,
    ask_what_it_is,
    make_and_change_the_type,
    look_at_a_step,
]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_it_answers_as_a_generator_of_python_does(script: Callable[[Any], list[Any]]) -> None:
    assert script(ours().generator) == script(theirs().generator)


def test_it_has_the_attributes_of_a_generator_of_python() -> None:
    missing = set(dir(theirs().generator)) - set(dir(ours().generator))
    assert not missing


# --- the function ---


def test_function_is_seen_as_an_async_generator_function() -> None:
    assert inspect.isasyncgenfunction(t.numbers)
    assert not inspect.iscoroutinefunction(t.numbers)
    assert (t.numbers.__name__, t.numbers.__doc__) == ("numbers", "Numbers that are there.")
    assert str(inspect.signature(t.numbers)) == "(n, status=0)"
    assert t.numbers(1).__name__ == "numbers"


def test_bad_arguments_of_the_function_are_raised_by_the_call() -> None:
    for arguments in ((), ("text",), (1, 2, 3)):
        with pytest.raises(TypeError):
            t.numbers(*arguments)


@since_312
def test_locals_are_refused_as_they_are_not_pythons() -> None:
    with pytest.raises(TypeError):
        inspect.getasyncgenlocals(t.numbers(1))  # it checks the type, not the attributes


# --- lifetime ---


def test_generator_has_weak_references() -> None:
    g = t.numbers(1)
    alive = weakref.ref(g)
    assert alive() is g
    del g
    assert alive() is None


@pytest.mark.filterwarnings("error")
def test_generator_that_is_never_iterated_ends_silently_with_its_stream() -> None:
    before = t.live_futures()
    g = t.numbers(3)
    assert t.live_futures() == before + 1
    del g
    assert t.live_futures() == before
    side = ours()
    side.drop()
    assert side.cancelled == 1


def test_step_that_is_never_awaited_is_reported_and_leaves_the_generator(loop_errors: list[Any]) -> None:
    async def main() -> None:
        g = t.numbers(3)
        with pytest.warns(RuntimeWarning, match="coroutine method 'asend' of 'numbers' was never awaited"):
            g.__anext__()
        assert [n async for n in g] == [0, 1, 2]

    run_kind("asyncio", loop_errors, main)


def test_cycle_through_a_generator_is_collected() -> None:
    class Iterable:
        def __init__(self) -> None:
            self.generator = t.relay(self)

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            return 1

    one = Iterable()
    seen = weakref.ref(one)
    del one
    gc.collect()
    assert seen() is None


def test_cycle_through_a_generator_that_waits_is_collected(loop_errors: list[Any]) -> None:
    """The step holds the generator, the frame that awaits holds the step, and the generator's item holds the frame."""

    class Items:
        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        items: Any = Items()
        items.generator = t.relay(items)
        items.step = items.generator.__anext__()
        items.step.send(None)
        alive = weakref.ref(items)
        del items
        gc.collect()
        assert alive() is None

    run_kind("asyncio", loop_errors, main)
