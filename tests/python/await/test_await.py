"""C awaits Python in place: everything that `await` takes, with the same results, errors and attributes as `await`."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import traceback
import types
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import _cawait_test as t
from support.common import Value, ended, on_trio, since_311, sleep, spawn, turn

value = Value()


async def at_once() -> Value:
    return value


async def after_a_turn() -> Value:
    await turn()
    return value


async def after_a_time() -> Value:
    await sleep(0.001)
    return value


@types.coroutine
def by_generator() -> Iterator[Any]:
    yield from after_a_turn().__await__()
    return value


class WithAwait:
    def __await__(self) -> Iterator[Any]:
        yield from after_a_turn().__await__()
        return value


class WithListIterator:
    """Its iterator has neither send() nor throw()."""

    def __await__(self) -> Iterator[Any]:
        return iter([])


async def generator() -> Any:
    await turn()
    yield value
    await turn()


def native() -> Any:
    op = t.Op(value)
    op.resolve_later(300)
    return op.wait()


AWAITABLES: dict[str, Callable[[], Any]] = {
    "coroutine": at_once,
    "coroutine that suspends": after_a_turn,
    "coroutine that sleeps": after_a_time,
    "generator-based coroutine": by_generator,
    "object with __await__": WithAwait,
    "iterator of a coroutine": lambda: after_a_turn().__await__(),
    "iterator of an object": lambda: WithAwait().__await__(),
    "native coroutine": native,
    "native coroutine that is ready": lambda: t.ready(value),
    "native coroutine in another": lambda: t.await_(t.await_(native())),
    "native around Python around native": lambda: t.await_(passed_on(t.await_(passed_on(native())))),
}


async def passed_on(awaitable: Any) -> Any:
    return await awaitable


@pytest.mark.parametrize("name", AWAITABLES)
def test_value_of_any_awaitable_comes_through(run: Callable[..., Any], name: str) -> None:
    async def main() -> None:
        assert await t.await_(AWAITABLES[name]()) is value

    run(main)


@pytest.mark.filterwarnings("ignore:'asyncio.iscoroutinefunction' is deprecated")  # uvloop's, on 3.14
def test_task_and_future_of_asyncio_are_awaited(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await t.await_(asyncio.ensure_future(after_a_turn())) is value
        assert await t.await_(loop.run_in_executor(None, lambda: 5)) == 5
        future = loop.create_future()
        loop.call_soon(future.set_result, 6)
        assert await t.await_(future) == 6
        assert await t.await_(future.__await__()) == 6
        assert await t.await_(WithListIterator()) is None

    run_asyncio(main)


def test_steps_of_an_async_generator_are_awaited(run: Callable[..., Any]) -> None:
    async def main() -> None:
        one = generator()
        assert await t.await_(one.asend(None)) is value
        with pytest.raises(StopAsyncIteration):
            await t.await_(one.__anext__())
        assert await t.await_(anext(one, 7)) == 7
        assert await t.await_(one.aclose()) is None

    run(main)


def test_future_of_another_loop_is_an_error(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        other = asyncio.new_event_loop()
        try:
            with pytest.raises(RuntimeError, match="attached to a different loop|different event loop"):
                await t.await_(other.create_future())
        finally:
            other.close()

    run_asyncio(main)


def test_several_are_awaited_in_turn_and_native_ones_between(run: Callable[..., Any]) -> None:
    async def main() -> None:
        items = [at_once(), after_a_time, 100, native(), by_generator, 50, 0, after_a_turn]
        assert await t.in_turn(items) == [value, value, None, value, value, None, None, value]

    run(main)


@pytest.mark.parametrize("bad", [3, None, "text", [], iter([]), object(), asyncio, at_once, int])
def test_what_cannot_be_awaited_is_a_type_error_at_once(run: Callable[..., Any], bad: object) -> None:
    with pytest.raises(TypeError, match="can't be used in 'await' expression"):
        t.await_(bad)

    async def main() -> None:
        with pytest.raises(TypeError, match="can't be used in 'await' expression"):
            await t.in_turn([after_a_turn(), lambda: bad])

    run(main)


def test_bad_await_method_is_a_type_error(run: Callable[..., Any]) -> None:
    class Bad:
        def __init__(self, result: object) -> None:
            self.result = result

        def __await__(self) -> Any:
            return self.result

    async def main() -> None:
        with pytest.raises(TypeError, match=r"__await__\(\) returned non-iterator of type 'int'"):
            await t.await_(Bad(3))
        with pytest.raises(TypeError, match=r"__await__\(\) returned a coroutine"):
            await t.await_(Bad(one := at_once()))
        one.close()

    run(main)


def test_coroutine_that_was_awaited_or_is_being_awaited_is_an_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        one = at_once()
        await one
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await t.await_(one)
        op = t.Op(on_cancel="resolves")
        for slow in (passed_on(op.wait()), t.await_(passed_on(t.Op(on_cancel="resolves").wait())), t.sleep(60)):
            slow.send(None)
            with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
                await t.await_(slow)
            slow.close()

    if sys.version_info >= (3, 11):  # older versions cannot drive trio by hand like this
        run(main)


def test_function_that_raises_in_the_poll_is_raised_at_the_awaiter(run: Callable[..., Any]) -> None:
    def broken() -> None:
        raise LookupError("in the poll")

    async def main() -> None:
        with pytest.raises(LookupError, match="in the poll"):
            await t.in_turn([after_a_turn(), broken])

    run(main)


# --- exceptions ---


class Trouble(Exception):
    """An exception with a state."""


async def failing(error: BaseException) -> None:
    await turn()
    raise error


def test_exception_is_the_same_object_however_often_it_crosses(run: Callable[..., Any]) -> None:
    async def main() -> None:
        error = Trouble("a", 2)
        error.__cause__ = ZeroDivisionError("cause")
        error.extra = value  # type: ignore[attr-defined]
        coroutine = failing(error)
        for _ in range(50):
            coroutine = t.await_(passed_on(t.in_turn([t.await_(coroutine)])))
        with pytest.raises(Trouble) as caught:
            await coroutine
        assert caught.value is error and error.args == ("a", 2) and error.extra is value  # type: ignore[attr-defined]
        assert isinstance(error.__cause__, ZeroDivisionError)
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert names[-1] == "failing" and names.count("passed_on") == 50
        assert names.count("await_") == 100 and names.count("in_turn") == 50

    run(main)


@since_311
def test_exception_groups_and_notes_come_through(run: Callable[..., Any]) -> None:
    async def main() -> None:
        error = Trouble("noted")
        error.add_note("a note")
        group = ExceptionGroup("several", [error, ValueError(3)])  # noqa: F821
        with pytest.raises(ExceptionGroup) as caught:  # noqa: F821
            await t.await_(t.in_turn([failing(group)]))
        assert caught.value is group and group.exceptions[0] is error and error.__notes__ == ["a note"]

    run(main)


def test_future_may_keep_replace_or_clean_up_after_an_exception(run: Callable[..., Any]) -> None:
    async def main() -> None:
        error = Trouble("one")
        assert await t.in_turn([failing(error), after_a_turn()], on_error="keep") == [error, value]
        with pytest.raises(TimeoutError):
            await t.in_turn([failing(error), after_a_turn], on_error="swap")
        with pytest.raises(Trouble) as caught:
            await t.in_turn([failing(error), after_a_turn], on_error="cleanup")
        assert caught.value is error

    run(main)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, StopAsyncIteration])
def test_special_exception_comes_through(run: Callable[..., Any], kind: type[BaseException]) -> None:
    async def main() -> None:
        async def raising() -> None:
            raise error

        error = kind("special")
        try:
            await t.await_(raising())
        except BaseException as caught:
            assert caught is error
        else:
            raise AssertionError("nothing was raised")

    run(main)


def test_exception_that_was_handled_is_not_kept(run: Callable[..., Any]) -> None:
    async def main() -> None:
        error = Trouble("dropped")
        watch = weakref.ref(error)
        coroutine = failing(error)
        del error
        result = await t.in_turn([coroutine], on_error="keep")
        del result, coroutine
        gc.collect()
        assert watch() is None

    run(main)


# --- attributes, and context ---


def test_what_is_awaited_can_be_seen(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(value)
        inner = passed_on(op.wait())
        outer = t.await_(inner)
        task = spawn(outer)
        while not op.started:
            await turn()
        assert outer.cr_await is inner and outer.cr_suspended and not outer.cr_running
        assert "(python.await, suspended in place)" in repr(outer)
        op.resolve()
        assert await ended(task) is value
        assert outer.cr_await is None and outer.cr_frame is None

    run(main)


def test_no_task_is_made_and_context_variables_are_shared(run: Callable[..., Any]) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

    async def setting(number: int) -> Any:
        await turn()
        variable.set(number)
        return asyncio.current_task() if not on_trio() else None

    async def main() -> None:
        mine = asyncio.current_task() if not on_trio() else None
        assert await t.in_turn([lambda: setting(1)]) == [mine]
        assert variable.get() == 1
        assert await t.await_(t.await_(passed_on(t.await_(setting(2))))) is mine
        assert variable.get() == 2

    run(main)


def test_cycle_through_an_awaitable_is_collected(run: Callable[..., Any]) -> None:
    class Node:
        pass

    async def main() -> None:
        node = Node()
        watch = weakref.ref(node)

        async def holding(node: Any) -> None:
            await t.Op(on_cancel="resolves").wait()

        node.coroutine = t.await_(holding(node))  # type: ignore[attr-defined]
        node.coroutine.send(None)  # type: ignore[attr-defined]
        del node
        gc.collect()
        assert watch() is None

    if not sys.version_info < (3, 11):
        run(main)


def test_cycle_through_an_awaitable_that_has_not_begun_is_collected(run: Callable[..., Any]) -> None:
    async def main() -> None:
        class Node:
            def __await__(self) -> Any:
                raise NotImplementedError

        node = Node()
        watch = weakref.ref(node)
        node.coroutine = t.await_(node)  # type: ignore[attr-defined]
        del node
        with pytest.warns(RuntimeWarning, match="never awaited"):
            gc.collect()
        assert watch() is None

    run(main)


def test_two_futures_with_the_waker_of_the_coroutine_are_an_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="with the same waker"):
            await t.beside(after_a_time(), 1000)

    run(main)


# --- chains ---

LONG = 100_000


def chain(coroutine: Any, length: int = LONG) -> Any:
    for _ in range(length):
        coroutine = t.await_(coroutine)
    return coroutine


def test_chain_of_any_length_returns(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for awaitable in (native(), t.ready(value), after_a_time()):
            assert await chain(awaitable) is value

    run(main)


def test_chain_of_any_length_raises(run: Callable[..., Any]) -> None:
    async def main() -> None:
        error = Trouble("deep")
        with pytest.raises(Trouble) as caught:
            await chain(failing(error), 1000)
        assert caught.value is error
        error.__traceback__ = None

    run(main)


def test_chain_of_any_length_is_cancelled(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")
        task = spawn(chain(op.wait()))
        while not op.started:
            await turn()
        task.cancel()
        await ended(task)
        assert op.cancelled == 1 and op.freed == 1

    run(main)


@pytest.mark.parametrize("end", ["close", "drop"])
def test_chain_of_any_length_is_given_up(end: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")
        coroutine = chain(op.wait())
        coroutine.send(None)
        if end == "close":
            coroutine.close()
        del coroutine
        assert op.cancelled == 1 and op.freed == 1

    asyncio.run(main())


def test_chain_through_python_ends_with_a_recursion_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        coroutine = at_once()
        for _ in range(5000):
            coroutine = t.await_(passed_on(coroutine))
        with pytest.raises(RecursionError):
            await coroutine

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # coroutines below the limit were never awaited
        run(main)
        gc.collect()
