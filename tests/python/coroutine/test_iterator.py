"""A coroutine is no iterator, as Python's own is none; what __await__() gives is one, and may be asked for again."""

from __future__ import annotations

import asyncio
import collections.abc
import gc
import inspect
import sys
import types
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import AWAITED, awaiting, since_312, started


async def python_ready(value: Any) -> Any:
    return value


def kind_of_error(function: Callable[[], Any]) -> Any:
    try:
        return "returned", function()
    except Exception as error:
        return type(error), "iter" in str(error)


# --- it is no iterator ---


def loop_over(c: Any) -> None:
    for _ in c:
        raise AssertionError


def unpack(c: Any) -> None:
    _, _ = c


def in_plain_generator(c: Any) -> None:
    def generator() -> Any:
        yield from c

    next(generator())


def comprehend(c: Any) -> None:
    [one for one in c]


@types.coroutine
def loop_in_coroutine(c: Any) -> Any:
    for one in c:
        yield one


USES = [
    iter,
    next,
    list,
    tuple,
    set,
    sum,
    zip,
    max,
    loop_over,
    unpack,
    comprehend,
    lambda c: 1 in c,
    lambda c: [*c],
    lambda c: print(*c),
    lambda c: loop_in_coroutine(c).send(None),
    lambda c: c.__iter__,
    lambda c: c.__next__,
]


@pytest.mark.parametrize("use", USES)
def test_use_as_an_iterable_is_the_error_that_it_is_for_one_of_python(use: Callable[[Any], Any]) -> None:
    ours, theirs = t.ready(5), python_ready(5)
    assert kind_of_error(lambda: use(ours)) == kind_of_error(lambda: use(theirs))
    assert inspect.getcoroutinestate(ours) == "CORO_CREATED"
    ours.close()
    theirs.close()


@pytest.mark.parametrize("use", [in_plain_generator])
def test_yield_from_in_a_plain_generator_is_an_error(use: Callable[[Any], Any]) -> None:
    coroutine = t.ready(5)
    with pytest.raises(TypeError, match="cannot 'yield from' a coroutine object in a non-coroutine generator"):
        use(coroutine)
    coroutine.close()


def test_it_is_no_iterable_for_the_abstract_classes() -> None:
    ours, theirs = t.ready(5), python_ready(5)
    for name in ("Iterable", "Iterator", "Generator", "Sized", "Container", "Coroutine", "Awaitable", "AsyncIterable"):
        kind = getattr(collections.abc, name)
        assert isinstance(ours, kind) == isinstance(theirs, kind), name
    assert not hasattr(ours, "__iter__") and not hasattr(ours, "__next__")
    ours.close()
    theirs.close()


def test_loop_over_an_operation_that_suspends_begins_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op()
        coroutine = op.wait()
        for use in USES:
            with pytest.raises((TypeError, AttributeError)):
                use(coroutine)
        assert op.started == 0
        coroutine.close()

    run(main)


# --- its iterator is another object ---


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_each_await_method_gives_another_object() -> None:
    coroutine = t.ready(5)
    first, second = coroutine.__await__(), coroutine.__await__()
    assert len({id(coroutine), id(first), id(second)}) == 3
    assert isinstance(first, collections.abc.Iterator) and not isinstance(first, collections.abc.Awaitable)
    assert not inspect.isawaitable(first)
    assert set(dir(python_ready(1).__await__())) - set(dir(first)) == set()
    with pytest.raises(StopIteration) as stop:
        next(first)
    assert stop.value.value == 5
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        next(second)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_iterator_keeps_the_coroutine_and_a_cycle_is_collected() -> None:
    class Holder:
        def __await__(self) -> Any:
            raise AssertionError

    holder: Any = Holder()
    holder.iterator = t.await_(holder).__await__()
    seen = weakref.ref(holder)
    del holder
    gc.collect()
    assert seen() is None


def test_type_of_the_iterator_cannot_be_made() -> None:
    coroutine = t.ready(5)
    with pytest.raises(TypeError):
        type(coroutine.__await__())()
    coroutine.close()


def test_close_and_throw_of_the_iterator_are_those_of_the_coroutine() -> None:
    coroutine = t.ready(5)
    coroutine.__await__().close()
    assert inspect.getcoroutinestate(coroutine) == "CORO_CLOSED"
    coroutine = t.ready(5)
    with pytest.raises(KeyError):
        coroutine.__await__().throw(KeyError("k"))
    assert inspect.getcoroutinestate(coroutine) == "CORO_CLOSED"


class Returned:
    """An awaitable of Python that returns the iterator of a native coroutine."""

    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine

    def __await__(self) -> Any:
        return self.coroutine.__await__()


@pytest.mark.parametrize("around", [lambda c: c, t.await_], ids=["by Python", "by C"])
def test_class_may_return_the_iterator_of_a_coroutine(run: Callable[..., Any], around: Any) -> None:
    async def main() -> Any:
        op = t.Op("value")
        task = await started(awaiting(around(Returned(op.wait()))))
        op.resolve()
        return await task

    assert run(main) == "value"


def test_chain_of_classes_that_return_iterators_needs_no_stack(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        op = t.Op("deep")
        chain = op.wait()
        for _ in range(5_000):
            chain = t.await_(Returned(chain))
        task = await started(chain)
        op.resolve()
        return await task

    assert run(main) == "deep"


def test_second_iterator_while_suspended_is_refused_and_the_first_await_goes_on(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op("value")
        coroutine = op.wait()
        task = await started(awaiting(coroutine))
        for call in (lambda i: next(i), lambda i: i.send(None)):
            with pytest.raises(RuntimeError, match=AWAITED):
                call(coroutine.__await__())
        op.resolve()
        assert await task == "value"

    run(main)


def test_second_await_between_wake_and_resume_is_refused(run_asyncio: Callable[..., Any]) -> None:
    """The one that waits was told, and has not been resumed: somebody else must not take its value."""

    async def main() -> None:
        op = t.Op("value")
        coroutine = op.wait()
        park = coroutine.send(None)
        park._asyncio_future_blocking = False
        told = asyncio.get_running_loop().create_future()
        park.add_done_callback(lambda _: told.set_result(None))
        op.resolve()
        await told
        with pytest.raises(RuntimeError, match=AWAITED):
            await coroutine
        with pytest.raises(StopIteration) as stop:
            coroutine.send(None)
        assert stop.value.value == "value"

    run_asyncio(main)


# --- asked for again in the middle ---


class Items:
    """An async iterator whose __anext__() is a native coroutine."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> Any:
        return self.make()


def natives(op: Any) -> dict[str, Callable[[], Any]]:
    """A native coroutine that suspends, in several shapes: their value is that of the operation."""
    return {
        "native": op.wait,
        "around Python": lambda: t.await_(awaiting(op.wait())),
        "around native": lambda: t.await_(op.wait()),
        "native around Python around native": lambda: t.await_(awaiting(t.await_(op.wait()))),
    }


SHAPES = ["native", "around Python", "around native", "native around Python around native"]
each_shape = pytest.mark.parametrize("shape", SHAPES)


@each_shape
def test_anext_with_default_waits_for_a_native_coroutine(run: Callable[..., Any], shape: str) -> None:
    async def main() -> Any:
        op = t.Op("value")
        task = await started(awaiting(anext(Items(natives(op)[shape]), "default")))
        op.resolve()
        return await task

    assert run(main) == "value"


@each_shape
def test_anext_with_default_is_cancelled_as_the_coroutine_is(run_asyncio: Callable[..., Any], shape: str) -> None:
    async def main() -> None:
        op = t.Op("value")
        task = await started(awaiting(anext(Items(natives(op)[shape]), "default")))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert op.resolve() and op.freed == 1

    run_asyncio(main)


def test_anext_with_default_gives_it_at_the_end(run: Callable[..., Any]) -> None:
    async def ends() -> None:
        raise StopAsyncIteration

    async def main() -> Any:
        return await anext(Items(lambda: t.await_(ends())), "default")

    assert run(main) == "default"


@each_shape
def test_anext_with_default_inside_c_code(run: Callable[..., Any], shape: str) -> None:
    async def main() -> Any:
        op = t.Op("value")
        task = await started(t.await_(anext(Items(natives(op)[shape]), "default")))
        op.resolve()
        return await task

    assert run(main) == "value"


@each_shape
def test_second_await_of_what_anext_waits_for_is_refused(run: Callable[..., Any], shape: str) -> None:
    async def main() -> None:
        op = t.Op("value")
        coroutine = natives(op)[shape]()
        task = await started(awaiting(anext(Items(lambda: coroutine), "default")))
        with pytest.raises(RuntimeError, match=AWAITED):
            await coroutine
        with pytest.raises(RuntimeError, match=AWAITED):
            await t.await_(coroutine)
        op.resolve()
        assert await task == "value"

    run(main)


# --- the StopIteration ---


@pytest.mark.parametrize("value", [5, None, (), (1, 2), ValueError("x"), "text"], ids=repr)
def test_stop_iteration_has_the_arguments_that_it_has_for_one_of_python(value: Any) -> None:
    def arguments(make: Callable[[Any], Any]) -> list[Any]:
        seen = []
        for use in (
            lambda c: c.send(None),
            lambda c: c.__await__().send(None),
            lambda c: next(c.__await__()),
            lambda c: c.__await__().__next__(),
        ):
            with pytest.raises(StopIteration) as stop:
                use(make(value))
            seen.append((stop.value.args, stop.value.value))
        return seen

    assert arguments(t.ready) == arguments(python_ready)


def test_stop_iteration_of_throw_has_arguments_too(run_asyncio: Callable[..., Any]) -> None:
    async def catches(value: Any) -> Any:
        try:
            await asyncio.sleep(0)
        except KeyError:
            return value

    async def main() -> None:
        for value in (5, None):
            seen = []
            for make in (catches, lambda value: t.await_(catches(value))):
                coroutine = make(value)
                coroutine.send(None)
                with pytest.raises(StopIteration) as stop:
                    coroutine.throw(KeyError("k"))
                seen.append(stop.value.args)
            assert seen[0] == seen[1]

    run_asyncio(main)


# --- cr_await in a chain ---


@pytest.mark.parametrize("around", [t.await_, awaiting], ids=["C", "Python"])
def test_what_runs_in_a_chain_awaits_nothing(run: Callable[..., Any], around: Callable[[Any], Any]) -> None:
    """As with coroutines of Python: all that are above the one that runs are running. CPython 3.12 may crash where the
    cr_await of a coroutine of Python is read that runs."""
    can_look = around is t.await_ or sys.version_info[:2] != (3, 12)

    async def main() -> None:
        seen: list[Any] = []

        def look() -> bool:
            looked = chain if can_look else chain[:1]
            seen.append([(one.cr_running, one.cr_await, inspect.getcoroutinestate(one)) for one in looked])
            return True

        chain = [t.call_in_poll(look)]
        for _ in range(3):
            chain.append(around(chain[-1]))
        await chain[-1]
        assert seen == [[(True, None, "CORO_RUNNING")] * (4 if can_look else 1)]

    run(main)


# --- throw() with three arguments ---


def warned(function: Callable[..., Any], *args: Any) -> list[Any]:
    """The warnings of a call that may raise."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        try:
            function(*args)
        except (KeyError, TypeError):
            pass
    return [(one.category, str(one.message)) for one in found if one.category is DeprecationWarning]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_throw_of_three_arguments_warns_as_for_one_of_python() -> None:
    async def numbers() -> Any:
        yield 1

    arguments = [(KeyError,), (KeyError("k"),), (KeyError, "k"), (KeyError, None, None), (1, 2, 3), ()]
    pairs = [
        (t.ready, python_ready, "throw"),
        (lambda n: t.ready(n).__await__(), lambda n: python_ready(n).__await__(), "throw"),
        (lambda n: t.numbers(n), lambda n: numbers(), "athrow"),
        (lambda n: t.numbers(n).__anext__(), lambda n: numbers().__anext__(), "throw"),
        (lambda n: t.numbers(n).aclose(), lambda n: numbers().aclose(), "throw"),
        (lambda n: t.numbers(n).athrow(KeyError), lambda n: numbers().athrow(KeyError), "throw"),
    ]
    for ours, theirs, name in pairs:
        for args in arguments:
            seen = [warned(getattr(make(1), name), *args) for make in (ours, theirs)]
            assert seen[0] == seen[1], (name, args)


@since_312
@pytest.mark.filterwarnings("error")
def test_warning_that_is_an_error_throws_nothing() -> None:
    coroutine = t.ready(1)
    with pytest.raises(DeprecationWarning):
        coroutine.throw(KeyError, "k")
    assert inspect.getcoroutinestate(coroutine) == "CORO_CREATED"
    coroutine.close()
