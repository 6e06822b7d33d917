"""A coroutine made in C is a good citizen: what works with an `async def` coroutine works with it."""

from __future__ import annotations

import asyncio
import collections.abc
import contextvars
import copy
import gc
import inspect
import pickle
import sys
import types
import typing
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import _cawait_test as t
import pytest

since_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio has it from 3.11 on")
since_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio has it from 3.12 on")


async def resolved_soon(op: Any) -> Any:
    """Await an operation that another thread completes."""
    op.resolve_later(100)
    return await op.wait()


# --- asyncio's ways to run it ---


def test_loop_runs_it_directly(run: Callable[..., Any]) -> None:
    assert run(t.ready, 5) == 5
    assert run(t.yield_times, 3) is None


def test_asyncio_run_takes_it() -> None:
    assert asyncio.run(t.ready(5)) == 5


def test_asyncio_run_takes_one_that_suspends() -> None:
    assert asyncio.run(t.sleep(0.001)) is None


@since_311
def test_runner_runs_it_twice() -> None:
    with asyncio.Runner() as runner:
        assert runner.run(t.ready(1)) == 1
        assert runner.run(t.sleep(0.001)) is None


def test_run_until_complete_takes_it(new_loop: Callable[[], Any]) -> None:
    loop = new_loop()
    assert loop.run_until_complete(t.ready(5)) == 5
    assert loop.run_until_complete(t.sleep(0.001)) is None


def test_run_coroutine_threadsafe_takes_it(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        loop = asyncio.get_running_loop()

        def other_thread() -> Any:
            return asyncio.run_coroutine_threadsafe(t.ready(5), loop).result(20)

        return await loop.run_in_executor(None, other_thread)

    assert run(main) == 5


def test_await_gives_the_value(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        return await t.ready(5), await resolved_soon(t.Op("value"))

    assert run(main) == (5, "value")


def test_create_task_runs_it_beside_the_creator(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        op = t.Op("value")
        task = asyncio.create_task(op.wait(), name="mine")
        await asyncio.sleep(0)
        assert op.started == 1 and not task.done()
        assert task.get_name() == "mine"
        op.resolve()
        return await task

    assert run(main) == "value"


def test_ensure_future_makes_a_task_of_it(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        task = asyncio.ensure_future(t.ready(5))
        assert asyncio.isfuture(task)
        return await task

    assert run(main) == 5


def test_gather_takes_many(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        ops = [t.Op(i) for i in range(100)]
        waiting = asyncio.gather(*[op.wait() for op in ops], t.ready("last"))
        await asyncio.sleep(0)
        for op in reversed(ops):
            op.resolve()
        return await waiting

    assert run(main) == [*range(100), "last"]


def test_gather_takes_the_same_one_twice(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        coroutine = t.ready(5)
        return await asyncio.gather(coroutine, coroutine)

    assert run(main) == [5, 5]


def test_wait_for_gives_the_value(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        return await asyncio.wait_for(resolved_soon(t.Op("value")), 20), await asyncio.wait_for(t.ready(5), 20)

    assert run(main) == ("value", 5)


def test_wait_for_times_out(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(op.wait(), 0.001)
        assert op.resolve()

    run(main)


def test_shield_gives_the_value(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        return await asyncio.shield(resolved_soon(t.Op("value"))), await asyncio.shield(t.ready(5))

    assert run(main) == ("value", 5)


def test_wait_and_as_completed_take_tasks_of_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        first, second = t.Op("first"), t.Op("second")
        tasks = [asyncio.ensure_future(op.wait()) for op in (first, second)]
        await asyncio.sleep(0)
        second.resolve()
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert done == {tasks[1]} and pending == {tasks[0]}
        first.resolve()
        assert {await one for one in asyncio.as_completed([*tasks, t.ready("third")])} == {"first", "second", "third"}

    run(main)


@since_311
def test_task_group_waits_for_it(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        op = t.Op("value")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(op.wait()), group.create_task(t.ready(5))]
            await asyncio.sleep(0)
            op.resolve()
        return [task.result() for task in tasks]

    assert run(main) == ["value", 5]


@since_311
def test_task_group_cancels_it_when_another_fails(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")
        with pytest.raises(BaseExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(op.wait())
                await asyncio.sleep(0)
                group.create_task(t.fail(-2))
        assert [type(error) for error in caught.value.exceptions] == [FileNotFoundError]
        assert op.cancelled == 1

    run(main)


@since_311
def test_timeout_ends_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await op.wait()
        assert op.cancelled == 1
        async with asyncio.timeout(20):
            assert await t.ready(5) == 5

    run(main)


@since_312
def test_eager_task_that_is_ready_ends_at_once() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(t.ready(5))
        assert task.done() and task.result() == 5
        op = t.Op("value")
        task = asyncio.create_task(op.wait())
        assert op.started == 1 and not task.done()
        op.resolve()
        assert await task == "value"

    asyncio.run(main())


def test_context_variables_of_the_task_are_seen_in_the_poll(run: Callable[..., Any]) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def main() -> None:
        seen = []

        def look() -> bool:
            seen.append(variable.get())
            return len(seen) == 3

        async def child() -> str:
            variable.set("child")
            await t.call_in_poll(look)
            return variable.get()

        variable.set("main")
        assert await asyncio.create_task(child()) == "child"
        assert seen == ["child"] * 3
        assert variable.get() == "main"

    run(main)


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


def test_function_is_a_coroutine_function() -> None:
    assert inspect.iscoroutinefunction(t.ready)
    assert inspect.iscoroutinefunction(t.Op.wait)


# --- the same answers as a coroutine of Python ---


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


def test_stop_iteration_thrown_in_becomes_a_runtime_error() -> None:
    """As in a coroutine of Python that has started; one that has not lets it through on 3.12 and later."""
    coroutine = t.ready(1)
    with pytest.raises(RuntimeError, match="coroutine raised StopIteration") as caught:
        coroutine.throw(StopIteration(3))
    assert isinstance(caught.value.__cause__, StopIteration)
    assert caught.value.__cause__ is caught.value.__context__


def test_throw_puts_the_given_traceback_below() -> None:
    try:
        raise ValueError
    except ValueError as error:
        given = error.__traceback__
    coroutine = t.ready(1)
    with pytest.raises(KeyError) as caught:
        coroutine.throw(KeyError("k"), None, given)
    frames = []
    here = caught.value.__traceback__
    while here:
        frames.append(here)
        here = here.tb_next
    assert given in frames


def test_second_await_while_suspended_is_refused(run: Callable[..., Any]) -> None:
    async def main() -> Any:
        op = t.Op("value")
        coroutine = op.wait()
        task = asyncio.ensure_future(coroutine)
        await asyncio.sleep(0)
        for attempt_it in (coroutine.__await__, lambda: coroutine.send(None), lambda: next(coroutine)):
            with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
                attempt_it()
        op.resolve()
        assert await task == "value"
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await coroutine

    run(main)


# --- its life ---


def test_weak_reference_ends_with_it() -> None:
    ended = []
    coroutine = t.ready(1)
    reference = weakref.ref(coroutine, ended.append)
    assert reference() is coroutine
    assert len(weakref.WeakSet([coroutine])) == 1
    coroutine.close()
    del coroutine
    assert reference() is None and ended == [reference]


class Cycle:
    """Refers to the coroutine that refers to it."""


def test_unawaited_cycle_is_collected_with_a_warning() -> None:
    op = t.Op(Cycle())
    op.value.coroutine = op.wait()
    reference = weakref.ref(op.value)
    del op
    with pytest.warns(RuntimeWarning, match="coroutine 'Op.wait' was never awaited"):
        gc.collect()
    assert reference() is None


def test_suspended_cycle_without_an_awaiter_is_collected(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(Cycle(), on_cancel="resolves")
        op.value.coroutine = op.wait()
        op.value.coroutine.send(None)
        reference = weakref.ref(op.value)
        del op
        gc.collect()
        assert reference() is None

    run(main)


def test_unawaited_coroutine_warns_and_nothing_ran() -> None:
    op = t.Op()
    with pytest.warns(RuntimeWarning, match="^coroutine 'Op.wait' was never awaited$"):
        op.wait()
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)


def test_unawaited_warning_says_where_it_was_created() -> None:
    sys.set_coroutine_origin_tracking_depth(3)
    try:
        with pytest.warns(RuntimeWarning, match=r"(?s)'ready' was never awaited\nCoroutine created at .*test_citizen"):
            t.ready(1)
    finally:
        sys.set_coroutine_origin_tracking_depth(0)


def test_unawaited_warning_that_is_an_error_is_unraisable(unraisable: list[Any]) -> None:
    t.ready(1)
    assert len(unraisable) == 1
    assert "RuntimeWarning: coroutine 'ready' was never awaited" in unraisable[0]
    unraisable.clear()


def test_handler_of_the_warning_may_keep_the_coroutine() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        t.ready(1)
    assert len(caught) == 1
    kept = caught[0].source
    assert inspect.getcoroutinestate(kept) == "CORO_CLOSED"
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        kept.send(None)


@pytest.mark.parametrize("end", ["await", "close", "throw"])
def test_no_warning_once_it_was_used(run: Callable[..., Any], unraisable: list[Any], end: str) -> None:
    async def main() -> None:
        coroutine = t.ready(1)
        if end == "await":
            await coroutine
        elif end == "close":
            coroutine.close()
        else:
            with pytest.raises(KeyError):
                coroutine.throw(KeyError)

    run(main)
    assert not unraisable


def test_repr_names_the_operation_and_its_state(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait()
        assert repr(coroutine).startswith("<coroutine Op.wait (test.op, created) at 0x")
        task = asyncio.ensure_future(coroutine)
        await asyncio.sleep(0)
        assert "(test.op, suspended)" in repr(coroutine)
        task.cancel()
        assert "(test.op, being cancelled)" in repr(coroutine)
        op.resolve()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "(closed)" in repr(coroutine)

    run(main)


def test_repr_says_that_it_is_running(run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen = []
        coroutine = t.call_in_poll(lambda: seen.append(repr(coroutine)) or True)
        await coroutine
        assert "running" in seen[0] and "call_in_poll" in seen[0]

    run(main)


def test_names_are_those_of_the_function() -> None:
    for coroutine, name, qualname in [
        (t.ready(1), "ready", "ready"),
        (t.Op().wait(), "wait", "Op.wait"),
        (t.renamed(), "renamed", "Somewhere.renamed"),
        (t.raw(1), "test.sum", "test.sum"),
        (t.raw_named(), "one", "Number.one"),
        (t.raw_without_spec(), "test.sum", "test.sum"),
    ]:
        assert (coroutine.__name__, coroutine.__qualname__) == (name, qualname)
        coroutine.close()


def test_coroutine_keeps_the_object_of_its_method_alive() -> None:
    op = t.Op(Cycle())
    reference = weakref.ref(op.value)
    coroutine = op.wait()
    del op
    gc.collect()
    assert reference() is not None
    coroutine.close()
    del coroutine
    assert reference() is None


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
