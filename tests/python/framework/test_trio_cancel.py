"""On trio: the effect of a cancelled scope on an operation, under each policy and option; and Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing

import _cawait_test as t
from support.common import wait_until
from support.policies import detached, every, shielded, waiting

blocked = trio.testing.wait_all_tasks_blocked


class Scoped:
    """A task that waits for an operation in a scope of its own."""

    def __init__(self, op: Any, method: str) -> None:
        self.op, self.method = op, method
        self.scope = trio.CancelScope()
        self.over = trio.Event()
        self.value: Any = "no value"

    async def main(self) -> None:
        """The code of the task."""
        with self.scope:
            self.value = await getattr(self.op, self.method)()
        self.over.set()


async def scoped(nursery: trio.Nursery, op: Any, method: str) -> Scoped:
    """Start one and let it suspend."""
    task = Scoped(op, method)
    nursery.start_soon(task.main)
    await blocked()
    assert not task.over.is_set()
    return task


# --- policies ---


@waiting
def test_waiting_task_leaves_its_scope_when_the_operation_has_ended(method: str, on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel=on_cancel)
        async with trio.open_nursery() as nursery:
            task = await scoped(nursery, op, method)
            task.scope.cancel()
            assert op.cancelled == (on_cancel != "none")  # by now
            await blocked()
            assert not task.over.is_set() and op.freed == 0
            op.resolve()
            await task.over.wait()
        assert task.scope.cancelled_caught and task.value == "no value"
        assert op.cancelled == (on_cancel != "none") and op.freed == 1

    trio.run(main)


@detached
def test_detached_task_leaves_its_scope_at_once(method: str, on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel=on_cancel)
        async with trio.open_nursery() as nursery:
            task = await scoped(nursery, op, method)
            task.scope.cancel()
            assert op.cancelled == (on_cancel != "none")  # by now
            await task.over.wait()
        assert task.scope.cancelled_caught
        assert op.cancelled == (on_cancel != "none") and op.freed == 0
        assert op.resolve() and op.freed == 1

    trio.run(main)


@shielded
def test_shielded_operation_gives_its_value_and_the_next_checkpoint_raises(method: str, on_cancel: str) -> None:
    async def main() -> None:
        op, after = t.Op("kept", on_cancel=on_cancel), t.Op()
        values = []

        async def waiter(scope: trio.CancelScope) -> None:
            with scope:
                values.append(await getattr(op, method)())
                await after.wait()

        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(waiter, scope)
            await blocked()
            scope.cancel()
            await blocked()
            assert values == []
            op.resolve()
        assert values == ["kept"] and scope.cancelled_caught
        assert (op.cancelled, op.freed, after.started) == (0, 1, 0)

    trio.run(main)


@every
def test_failing_sibling_ends_the_nursery_and_each_operation_is_told_once(method: str, on_cancel: str) -> None:
    async def main() -> None:
        ops = [t.Op(on_cancel=on_cancel) for _ in range(50)]

        async def fail() -> None:
            await blocked()
            raise LookupError("sibling")

        async def release() -> None:
            """With the policies that wait, operations go on until they end."""
            with trio.CancelScope(shield=True):
                await blocked(0.001)
                t.resolve_many(ops)

        with pytest.raises(BaseException) as caught:
            async with trio.open_nursery() as nursery:
                for op in ops:
                    nursery.start_soon(getattr(op, method))
                nursery.start_soon(release)
                nursery.start_soon(fail)
        assert [type(one) for one in caught.value.exceptions] == [LookupError]
        told = int(on_cancel != "none" and method != "wait_shielded")
        assert all(op.cancelled == told for op in ops)

    trio.run(main)


@every
def test_inner_scope_that_is_cancelled_leaves_the_outer_one_alone(method: str, on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel=on_cancel)
        with trio.CancelScope() as outer:
            async with trio.open_nursery() as nursery:
                task = await scoped(nursery, op, method)
                task.scope.cancel()
                await blocked()
                op.resolve()
            assert await t.ready("goes on") == "goes on"
        assert not outer.cancelled_caught and op.freed == 1
        assert task.scope.cancelled_caught == (method != "wait_shielded")

    trio.run(main)


def test_waiting_operation_that_fails_in_the_end_is_a_cancellation_all_the_same() -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        async with trio.open_nursery() as nursery:
            task = await scoped(nursery, op, "wait")
            task.scope.cancel()
            op.resolve(-32)
        assert task.scope.cancelled_caught and op.freed == 1

    trio.run(main)


def test_operation_that_ends_when_it_is_told_ends_the_await() -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(op.wait)
                await blocked()
                scope.cancel()
        assert scope.cancelled_caught and (op.cancelled, op.resolved, op.freed) == (1, 1, 1)

    trio.run(main)


# --- options ---


def test_value_that_wins_is_returned_and_the_next_checkpoint_raises() -> None:
    async def take() -> None:
        values.append(await op.wait_value_wins())
        await after.wait()

    op, after, values = t.Op("won", on_cancel="value"), t.Op(), []
    scope = trio.run(cancel_around, take)
    assert values == ["won"] and scope.cancelled_caught
    assert (op.cancelled, op.freed, after.started) == (1, 1, 0)


async def cancel_around(function: Any) -> trio.CancelScope:
    """Cancel the scope around a task once the task waits."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(function)
            await blocked()
            scope.cancel()
    return scope


def test_error_never_wins_over_the_cancellation() -> None:
    op = t.Op(on_cancel="resolves")  # with a negative status
    assert trio.run(cancel_around, op.wait_value_wins).cancelled_caught
    assert (op.cancelled, op.freed) == (1, 1)


@pytest.mark.parametrize("on_cancel", ["none", "resolves"], ids=["detached", "waiting"])
def test_author_is_told_of_the_very_cancellation_that_is_raised(on_cancel: str) -> None:
    async def waiter() -> None:
        try:
            await op.wait_thrown()
        except BaseException as error:
            raised.append(error)
            raise

    op, raised = t.Op(on_cancel=on_cancel), []
    op.thrown = []
    assert trio.run(cancel_around, waiter).cancelled_caught
    assert len(op.thrown) == 1 and op.thrown[0] is raised[0] and isinstance(raised[0], trio.Cancelled)
    op.resolve()
    assert op.freed == 1
    del op.thrown[:], raised[:]


def test_author_is_told_once_of_a_cancellation_that_trio_repeats() -> None:
    """At each suspension in a cancelled scope."""

    async def main() -> None:
        gate, counts = t.Gate(), []
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(gate.wait_told)
                await blocked()
                scope.cancel()
                with trio.CancelScope(shield=True):
                    for wake in (gate.wake, gate.wake, gate.open):
                        wake()
                        await blocked()
                        counts.append((gate.polls, gate.cancels, gate.told))
        gate.drop()
        assert scope.cancelled_caught and counts == [(2, 1, 1), (3, 1, 1), (4, 1, 1)]

    trio.run(main)


# --- Ctrl-C ---


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Set Python's own handler, which trio replaces while it runs; a test worker may ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_when(condition: Any) -> threading.Thread:
    """A thread that sends SIGINT to the process when the condition holds."""

    def main() -> None:
        wait_until(condition)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=main)
    thread.start()
    return thread


@pytest.mark.parametrize("on_cancel", ["none", "resolves", "ignored"])
@pytest.mark.parametrize("method", ["wait", "wait_thrown"])
def test_ctrl_c_while_the_main_task_waits_is_raised_and_the_operation_told_once(
    ctrl_c: None, method: str, on_cancel: str
) -> None:
    async def main() -> None:
        """When the other task runs, the main one waits."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(release)
            with pytest.raises(KeyboardInterrupt):
                await getattr(op, method)()
            raised.append(True)
            assert op.cancelled == (on_cancel != "none")
            assert await t.ready("goes on") == "goes on"

    async def release() -> None:
        await blocked()
        waiting.set()
        while on_cancel == "ignored" and not op.cancelled:
            await trio.sleep(0.001)
        if on_cancel == "ignored":
            await blocked()
            assert not raised  # until the operation has ended
            op.resolve()

    op, waiting, raised = t.Op(on_cancel=on_cancel), threading.Event(), []
    op.thrown = []
    thread = interrupt_when(waiting.is_set)
    trio.run(main)
    thread.join()
    assert raised == [True]
    op.resolve()
    assert op.cancelled == (on_cancel != "none") and op.freed == 1
    assert [type(one) for one in op.thrown] == ([KeyboardInterrupt] if method == "wait_thrown" else [])
    del op.thrown[:]


@pytest.mark.parametrize("method", ["wait_value_wins", "wait_thrown_wins"])
def test_ctrl_c_is_raised_though_the_value_wins(ctrl_c: None, method: str) -> None:
    """At once if the author's function gets the exception; else at the next checkpoint."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(say)
            with pytest.raises(KeyboardInterrupt):
                values.append(await getattr(op, method)())
                await t.ready("next")

    async def say() -> None:
        await blocked()
        waiting.set()

    op, waiting, values = t.Op("won", on_cancel="value"), threading.Event(), []
    op.thrown = []
    thread = interrupt_when(waiting.is_set)
    trio.run(main)
    thread.join()
    told = method == "wait_thrown_wins"
    assert values == ([] if told else ["won"]) and (op.cancelled, op.freed) == (1, 1)
    assert [type(one) for one in op.thrown] == ([KeyboardInterrupt] if told else [])
    del op.thrown[:]


def test_ctrl_c_that_waits_for_the_main_task_is_raised_at_its_next_operation(ctrl_c: None) -> None:
    """The operation is a checkpoint, so it is not started."""

    @trio.lowlevel.enable_ki_protection
    async def main() -> None:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            await op.wait()
        assert await t.ready("goes on") == "goes on"

    op = t.Op(on_cancel="ignored")
    trio.run(main)
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)
