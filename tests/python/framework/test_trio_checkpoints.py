"""On trio: every operation is a checkpoint, sent outcomes are respected, and the code runs in the task's context."""

from __future__ import annotations

import contextvars
import gc
import types
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import outcome
import pytest
import trio
import trio.testing

import _cawait_test as t

# One coroutine of each kind, and how it ends: a value or an exception.
ENDS: dict[str, tuple[Callable[[], Coroutine[Any, Any, Any]], Any]] = {
    "ready": (lambda: t.ready(1), 1),
    "ready none": (lambda: t.ready_none(1), None),
    "failing": (lambda: t.fail(-32), BrokenPipeError),
    "failing to start": (lambda: t.Op(start_status=-32).wait(), BrokenPipeError),
    "suspending": (lambda: t.yield_times(1), None),
    "resolved by a thread": (lambda: resolved(t.Op("value")), "value"),
    "failed by a thread": (lambda: resolved(t.Op(), -32), BrokenPipeError),
    "timer": (lambda: t.sleep(0.0001), None),
    "without the GIL": (lambda: t.sleep_nogil(0.0001), None),
}
every_end = pytest.mark.parametrize("make, end", ENDS.values(), ids=ENDS.keys())


def resolved(op: Any, status: int = 0) -> Coroutine[Any, Any, Any]:
    """The coroutine of an operation that a native thread completes."""
    op.resolve_later(100, status)
    return op.wait()


async def ends(coroutine: Coroutine[Any, Any, Any], end: Any) -> None:
    """Await it and check that it ends in this way."""
    if isinstance(end, type):
        with pytest.raises(end):
            await coroutine
    else:
        assert await coroutine == end


# --- checkpoints ---


@every_end
def test_each_end_of_an_operation_was_a_checkpoint(make: Callable[[], Coroutine[Any, Any, Any]], end: Any) -> None:
    async def main() -> None:
        with trio.testing.assert_checkpoints():
            await ends(make(), end)

    trio.run(main)


@every_end
def test_others_have_their_turn_between_operations(make: Callable[[], Coroutine[Any, Any, Any]], end: Any) -> None:
    """Trio steps runnable tasks in a random order: an even chance for each of 200 awaits."""

    async def main() -> None:
        turns = []

        async def other() -> None:
            turns.append("other")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            for _ in range(200):
                await ends(make(), end)
                if turns:
                    return
            raise AssertionError("the other task had no turn")

    trio.run(main)


@every_end
def test_cancelled_scope_starts_nothing_and_raises(make: Callable[[], Coroutine[Any, Any, Any]], end: Any) -> None:
    async def main() -> None:
        before = t.live_futures()
        with trio.CancelScope() as scope:
            scope.cancel()
            with pytest.raises(trio.Cancelled):
                await make()
        assert t.live_futures() == before

    trio.run(main)


@pytest.mark.parametrize("method", ["wait", "wait_detached", "wait_shielded_before", "wait_value_wins", "wait_thrown"])
def test_operation_is_not_started_in_a_cancelled_scope(method: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        with trio.CancelScope() as scope:
            scope.cancel()
            await getattr(op, method)()
        assert scope.cancelled_caught
        assert (op.started, op.cancelled, op.freed) == (0, 0, 1)

    trio.run(main)


def test_cancelled_scope_polls_nothing() -> None:
    async def main() -> None:
        gate = t.Gate()
        with trio.CancelScope() as scope:
            scope.cancel()
            await gate.wait_asked()
        assert scope.cancelled_caught and (gate.polls, gate.cancels) == (0, 0)

    trio.run(main)


class AtTheScheduling(trio.abc.Instrument):
    """Calls a function when a task was made runnable and has not run yet."""

    def __init__(self, task: trio.lowlevel.Task, function: Callable[[], None]) -> None:
        self.task, self.function = task, function

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            trio.lowlevel.remove_instrument(self)
            self.function()


@pytest.mark.parametrize("make", [lambda: t.ready("taken"), lambda: resolved(t.Op("taken"))], ids=["ready", "resolved"])
def test_cancel_of_a_task_that_can_run_comes_too_late(make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """As with trio's own functions: a completed operation returns, and the next checkpoint raises."""

    async def main() -> None:
        with trio.CancelScope() as scope:
            trio.lowlevel.add_instrument(AtTheScheduling(trio.lowlevel.current_task(), scope.cancel))
            assert await make() == "taken"
            assert scope.cancel_called
            await t.ready("refused")
            raise AssertionError
        assert scope.cancelled_caught

    trio.run(main)


def test_shielded_scope_inside_a_cancelled_one_starts_operations() -> None:
    async def main() -> None:
        with trio.CancelScope() as outer:
            outer.cancel()
            with trio.CancelScope(shield=True):
                assert await resolved(t.Op("inner")) == "inner"
            with pytest.raises(trio.Cancelled):
                await t.ready("outer")

    trio.run(main)


def test_expired_deadline_raises_at_a_ready_future() -> None:
    async def main() -> None:
        with trio.move_on_after(0) as scope:
            await t.ready(1)
            raise AssertionError
        assert scope.cancelled_caught

    trio.run(main)


# --- sent outcomes ---


@types.coroutine
def passing(coroutine: Any, swap: Callable[[Any], Any]) -> Any:
    """Await it, and replace what trio sends."""
    yielded = coroutine.send(None)
    while True:
        sent = yield yielded
        try:
            yielded = coroutine.send(swap(sent))
        except StopIteration as stop:
            return stop.value


def test_error_that_is_sent_is_raised_and_gives_the_operation_up() -> None:
    async def main() -> None:
        gate = t.Gate()

        async def waiter() -> None:
            with pytest.raises(LookupError, match="sent"):
                await passing(gate.wait_asked(), lambda _: outcome.Error(LookupError("sent")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await trio.testing.wait_all_tasks_blocked()
            gate.wake()
        assert (gate.polls, gate.cancels) == (1, 1)
        gate.drop()

    trio.run(main)


@pytest.mark.parametrize("sent", [None, outcome.Value("not the result")], ids=["None", "a value"])
def test_value_that_is_sent_resumes_and_is_not_the_result(sent: Any) -> None:
    async def main() -> None:
        op = t.Op("result")
        op.resolve_later(100)
        assert await passing(op.wait(), lambda _: sent) == "result"

    trio.run(main)


# --- ended in the middle ---


@types.coroutine
def ending_in_the_checkpoint(coroutine: Any, end: Callable[[Any], Any]) -> Any:
    """Two steps of the checkpoint in a cancelled scope; then the task itself ends the coroutine."""
    sent = yield coroutine.send(None)
    yield coroutine.send(sent)
    end(coroutine)


@pytest.mark.parametrize(
    "end", [lambda c: c.close(), lambda c: pytest.raises(LookupError, c.throw, LookupError())], ids=["close", "throw"]
)
def test_checkpoint_that_its_own_task_ends_in_the_middle_leaves_the_scopes_in_order(end: Callable[[Any], Any]) -> None:
    async def main() -> None:
        op = t.Op()
        coroutine = op.wait()
        with trio.CancelScope() as scope:
            scope.cancel()
            await ending_in_the_checkpoint(coroutine, end)
            with trio.CancelScope(shield=True):
                await t.yield_times(1)
        assert not scope.cancelled_caught
        assert (op.started, op.freed) == (0, 1)

    trio.run(main)


# --- contexts ---

var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="nobody's")


def test_polls_and_the_code_after_the_await_run_in_the_context_of_the_task() -> None:
    async def main() -> None:
        seen: list[tuple[str, str]] = []
        ops = {name: t.Op() for name in "abc"}

        async def waiter(name: str) -> None:
            var.set(name)
            await t.call_in_poll(lambda: seen.append((name, var.get())) or True)
            await ops[name].wait()
            seen.append((name, var.get()))
            await t.ready(1)
            seen.append((name, var.get()))

        async with trio.open_nursery() as nursery:
            for name in ops:
                nursery.start_soon(waiter, name)
            await trio.testing.wait_all_tasks_blocked()
            assert var.get() == "main's"
            t.resolve_many(list(ops.values()))
        assert len(seen) == 9 and all(name == value for name, value in seen)

    var.set("main's")
    try:
        trio.run(main)
    finally:
        var.set("nobody's")


def test_context_of_the_first_await_is_not_kept_by_the_run() -> None:
    """The library's own task lives as long as the run: it must not keep the first awaiter's context alive."""

    class Value:
        pass

    async def main() -> None:
        alive: list[weakref.ref[Value]] = []

        async def first() -> None:
            holder: Any = Value()
            alive.append(weakref.ref(holder))
            var.set(holder)
            await resolved(t.Op())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(first)
        gc.collect()
        assert alive[0]() is None

    trio.run(main)
