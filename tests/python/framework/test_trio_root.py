"""On trio: a native coroutine that is a whole task, or begins in a scope that is cancelled, as an `async def` would."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
import trio
import trio.testing

import _cawait_test as t

protected = trio.lowlevel.currently_ki_protected


@contextlib.contextmanager
def python_handles_sigint() -> Iterator[None]:
    """Ctrl-C is Python's own business, as it is where pytest does not run: trio takes it over only then."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def asks() -> bool:
    return protected()


async def asks_after_waiting() -> bool:
    await trio.sleep(0)
    return protected()


async def asks_deep() -> bool:
    return await t.await_(asks_after_waiting())


async def asks_in_a_loop() -> bool:
    async def items() -> Any:
        yield protected()
        await trio.sleep(0)
        yield protected()

    return any([item async for item in items()])


QUESTIONS = {"at once": asks, "later": asks_after_waiting, "deep": asks_deep, "in a loop": asks_in_a_loop}


# --- Ctrl-C ---


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_python_code_under_a_native_task_is_not_protected_from_ctrl_c(
    question: Callable[[], Coroutine[Any, Any, bool]],
) -> None:
    async def main() -> None:
        answers = []

        def native_task() -> Any:
            return t.await_(keep())

        async def keep() -> None:
            answers.append(await question())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(native_task)
        assert answers == [False]

    trio.run(main)
    assert trio.run(lambda: t.await_(question())) is False


def test_python_code_under_a_native_task_of_a_guest_run_is_not_protected_from_ctrl_c() -> None:
    calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
    ends: list[Any] = []
    trio.lowlevel.start_guest_run(
        lambda: t.await_(asks_deep()), run_sync_soon_threadsafe=calls.put, done_callback=ends.append
    )
    while not ends:
        calls.get()()
    assert ends[0].unwrap() is False


def test_callable_that_a_poll_calls_is_not_protected_from_ctrl_c() -> None:
    answers: list[bool] = []
    trio.run(lambda: t.call_in_poll(lambda: answers.append(protected()) or True))
    assert answers == [False]


def test_system_task_that_is_native_is_protected_from_ctrl_c() -> None:
    async def main() -> None:
        answers = []

        async def keep() -> None:
            answers.append(await asks_after_waiting())

        trio.lowlevel.spawn_system_task(lambda: t.await_(keep()), name="native")
        await trio.testing.wait_all_tasks_blocked()
        assert answers == [True]

    trio.run(main)


def test_protection_that_a_function_asks_for_holds_under_a_native_task() -> None:
    @trio.lowlevel.enable_ki_protection
    async def guarded() -> tuple[bool, bool]:
        return protected(), await trio.lowlevel.disable_ki_protection(asks)()

    assert trio.run(lambda: t.await_(guarded())) == (True, False)


def test_ctrl_c_interrupts_the_python_code_that_a_native_main_task_awaits() -> None:
    async def busy() -> str:
        try:
            signal.raise_signal(signal.SIGINT)
            for _ in range(1000):
                pass
        except KeyboardInterrupt:
            return "interrupted"
        return "not interrupted"

    with python_handles_sigint():
        assert trio.run(lambda: t.await_(busy())) == "interrupted"


def test_frame_of_a_native_task_names_its_function_unless_it_runs() -> None:
    async def main() -> None:
        seen = []

        async def look() -> None:
            seen.append(trio.lowlevel.current_task().coro.cr_frame)
            await trio.sleep(0)

        native = t.await_(look())
        assert native.cr_frame.f_code.co_name == "await_"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: native)
            await trio.sleep(0)
            await trio.sleep(0)
        assert [frame.f_code.co_name for frame in seen] == ["look"]
        assert native.cr_frame is None

    trio.run(main)


def test_native_task_of_asyncio_has_its_own_frame_while_it_runs() -> None:
    async def look() -> str:
        task = asyncio.current_task()
        assert task
        return str(task.get_coro().cr_frame.f_code.co_name)  # type: ignore[union-attr]

    async def main() -> None:
        assert await asyncio.ensure_future(t.await_(look())) == "await_"

    asyncio.run(main())


# --- a scope that is cancelled already ---


@contextlib.contextmanager
def cancelled_scope() -> Iterator[trio.CancelScope]:
    with trio.CancelScope() as scope:
        scope.cancel()
        yield scope


async def body(trace: list[str], *, cleans_up: bool = False) -> str:
    """What an `async def` does here: it begins, and its first checkpoint raises."""
    trace.append("begun")
    try:
        await trio.lowlevel.checkpoint()
    except trio.Cancelled:
        trace.append("cancelled")
        raise
    finally:
        if cleans_up:
            with trio.CancelScope(shield=True):
                await trio.sleep(0)
                trace.append("cleaned up")
    return "done"


AWAITING: dict[str, Callable[[Any], Any]] = {
    "directly": t.await_,
    "by a future of its own": lambda awaitable: t.told(awaitable, []),
    "one after the other": lambda awaitable: t.in_turn_inside([awaitable]),
    "two of ours": lambda awaitable: t.await_(t.await_(awaitable)),
    "beside another": t.beside_dropped,
    "shielded": t.await_shielded,
}


@pytest.mark.parametrize("await_", [AWAITING[how] for how in list(AWAITING)[:-1]], ids=list(AWAITING)[:-1])
def test_what_awaits_python_begins_in_a_cancelled_scope_as_async_def_does(await_: Callable[[Any], Any]) -> None:
    async def main() -> None:
        trace: list[str] = []
        with cancelled_scope() as scope:
            await await_(body(trace, cleans_up=True))
        assert scope.cancelled_caught and trace == ["begun", "cancelled", "cleaned up"]

    trio.run(main)


class Room:
    """A semaphore of trio whose methods are native coroutines around those of trio."""

    def __init__(self, await_: Callable[[Any], Any]) -> None:
        self.places, self.await_ = trio.Semaphore(1), await_
        self.trace: list[str] = []

    def __aenter__(self) -> Any:
        return self.await_(self.places.acquire())

    def __aexit__(self, *raised: object) -> Any:
        return self.await_(self.leave())

    async def leave(self) -> None:
        self.places.release()
        with trio.CancelScope(shield=True):
            await trio.sleep(0)
        self.trace.append("left")


@pytest.mark.parametrize("how", ["iterable", "reader"])
def test_stream_of_python_that_a_future_reads_begins_in_a_cancelled_scope(how: str) -> None:
    async def main() -> None:
        trace: list[str] = []

        class Source:
            async def receive_some(self, size: int | None = None) -> bytes:
                await body(trace)
                return b""

        class Sink:
            async def send_all(self, data: bytes) -> None:
                raise AssertionError

            async def aclose(self) -> None:
                raise AssertionError

        async def items() -> Any:
            await body(trace)
            yield 1

        with cancelled_scope() as scope:
            await (t.total(items(), where="place") if how == "iterable" else t.copy(Source(), Sink(), how="here"))
        assert scope.cancelled_caught and trace == ["begun", "cancelled"]

    trio.run(main)


NOT_LISTS = [how for how in AWAITING if how != "one after the other"]  # whose true value would take the exception


@pytest.mark.parametrize("await_", [AWAITING[how] for how in NOT_LISTS], ids=NOT_LISTS)
def test_native_aexit_runs_in_a_scope_that_was_cancelled_inside(await_: Callable[[Any], Any]) -> None:
    async def main() -> None:
        room = Room(await_)
        with trio.CancelScope() as scope:
            async with room:
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught and room.trace == ["left"] and room.places.value == 1

    trio.run(main)


@pytest.mark.parametrize("make", [t.await_, t.await_shielded], ids=["await_", "await_shielded"])
def test_native_aclose_runs_in_a_cancelled_scope(make: Callable[[Any], Any]) -> None:
    trace = []

    class Resource:
        def aclose(self) -> Any:
            return make(self.close())

        async def close(self) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(0)
            trace.append("closed")

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with contextlib.aclosing(Resource()):
                scope.cancel()
                await trio.sleep_forever()
        assert trace == ["closed"]

    trio.run(main)


@pytest.mark.parametrize("method, ends", [("wait_shielded", "value"), ("wait_inside", None)])
def test_operation_that_begins_in_a_cancelled_scope_ends_by_its_policy(method: str, ends: str | None) -> None:
    async def main() -> None:
        op = t.Op("value", on_cancel="resolves")
        values = []
        if ends:
            op.resolve_later(1000)
        with cancelled_scope() as scope:
            values.append(await getattr(op, method)())
        assert values == ([ends] if ends else [])
        assert (op.started, op.cancelled, op.freed) == (1, 0 if ends else 1, 1)
        assert scope.cancelled_caught == (ends is None)

    trio.run(main)


def test_shielded_operation_that_is_ready_lets_others_run_in_a_cancelled_scope() -> None:
    async def main() -> None:
        turns = []

        async def other() -> None:
            turns.append("other")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            with cancelled_scope():
                for _ in range(200):
                    op = t.Op()
                    op.resolve_later(0)
                    await op.wait_shielded()
        assert turns == ["other"]

    trio.run(main)


class Later:
    """Makes its coroutine when it is awaited."""

    def __init__(self, trace: list[str]) -> None:
        self.trace = trace

    def __await__(self) -> Any:
        return body(self.trace).__await__()


def test_author_can_have_a_checkpoint_before_what_awaits_python() -> None:
    async def main() -> None:
        trace: list[str] = []
        with cancelled_scope() as scope:
            await t.await_before(Later(trace))
        assert scope.cancelled_caught and trace == []

    trio.run(main)


def test_operation_made_beside_an_awaitable_is_still_a_checkpoint() -> None:
    """It is told by its own start function, not by what else the program makes."""

    async def main() -> None:
        trace: list[str] = []
        awaiting = t.told(body(trace), [])
        op = t.Op(on_cancel="resolves")
        waiting = op.wait()
        with cancelled_scope():
            await waiting
        assert (op.started, op.freed) == (0, 1)
        with cancelled_scope():
            await awaiting
        assert trace == ["begun", "cancelled"]

        async def poll_time() -> None:
            await t.in_turn([body([]), 10])
            with cancelled_scope():
                await t.Op().wait()
                raise AssertionError

        await poll_time()

    trio.run(main)


async def several(n: int = 3) -> AsyncIterator[int]:
    for k in range(n):
        await trio.sleep(0)
        yield k


async def iterate_a_while() -> None:
    generator = t.relay(several())
    await anext(generator)
    await anext(generator)
    LEFT.append(generator)


async def fail_to_begin() -> None:
    for begin in (lambda: t.copy(Stream(), 3.5), lambda: t.doubled(several(), 1), lambda: t.doubled(Stream())):
        with pytest.raises(TypeError):
            begin()


class Stream:
    """What can be read and written."""

    async def receive_some(self, size: int | None = None) -> bytes:
        raise AssertionError

    async def send_all(self, data: bytes) -> None:
        raise AssertionError

    async def aclose(self) -> None:
        raise AssertionError


LEFT: list[Any] = []  # what is alive while the operation is made
BEFORE: dict[str, Callable[[], Any]] = {
    "an awaitable dropped": lambda: t.make_and_drop("await", trio.sleep(0)),
    "an iterable dropped": lambda: t.make_and_drop("iterate", several()),
    "a reader dropped": lambda: t.make_and_drop("reader", Stream()),
    "a writer dropped": lambda: t.make_and_drop("writer", Stream()),
    "a generator made": lambda: LEFT.append(t.relay(several())),
    "a generator in the middle": iterate_a_while,
    "a failed call": fail_to_begin,
}


@pytest.mark.filterwarnings("ignore:coroutine 'sleep' was never awaited:RuntimeWarning")
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE.keys())
def test_operation_made_after_something_of_python_is_still_a_checkpoint(before: Callable[[], Any]) -> None:
    async def main() -> None:
        pending = before()
        if pending:
            await pending
        op = t.Op(on_cancel="resolves")
        waiting = op.wait()
        with cancelled_scope() as scope:
            await waiting
        assert scope.cancelled_caught and op.started == 0
        while LEFT:
            await LEFT.pop().aclose()

    trio.run(main)
