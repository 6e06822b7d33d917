"""On trio: coroutines that other code closes, throws into, drives by hand, or takes to another run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trio
import trio.testing

import _cawait_test as t
from support.common import AWAITED, REUSED, wait_until

blocked = trio.testing.wait_all_tasks_blocked
ELSEWHERE = "suspended on a different event loop"


class Awaiting:
    """A task that awaits a coroutine, and records how that ends."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine
        self.ends: list[Any] = []

    async def main(self) -> None:
        """The code of the task."""
        try:
            self.ends.append(await self.coroutine)
        except Exception as error:
            self.ends.append(error)

    def assert_failed(self, text: str) -> None:
        """Check that it ended once, by a RuntimeError."""
        assert [type(one) for one in self.ends] == [RuntimeError]
        assert text in str(self.ends[0])
        self.ends.clear()


async def awaiting(nursery: trio.Nursery, coroutine: Coroutine[Any, Any, Any]) -> Awaiting:
    """Start one and let it suspend."""
    task = Awaiting(coroutine)
    nursery.start_soon(task.main)
    await blocked()
    assert task.ends == []
    return task


# --- a third party ---


@pytest.mark.parametrize("on_cancel", ["none", "ignored", "resolves"])
def test_task_whose_coroutine_is_closed_wakes_with_an_error(on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel=on_cancel)
        coroutine = op.wait()
        async with trio.open_nursery() as nursery:
            task = await awaiting(nursery, coroutine)
            coroutine.close()
        task.assert_failed(REUSED)
        op.resolve()
        assert op.cancelled == (on_cancel != "none") and op.freed == 1
        assert await t.ready("goes on") == "goes on"

    trio.run(main)


def test_task_whose_coroutine_is_thrown_into_wakes_with_an_error() -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait()
        async with trio.open_nursery() as nursery:
            task = await awaiting(nursery, coroutine)
            with pytest.raises(LookupError, match="thrown"):
                coroutine.throw(LookupError("thrown"))
        task.assert_failed(REUSED)
        op.resolve()
        assert (op.cancelled, op.freed) == (1, 1)

    trio.run(main)


@pytest.mark.parametrize("method", ["wait", "wait_shielded"])
def test_task_wakes_when_its_coroutine_was_closed_after_its_scope_was_cancelled(method: str) -> None:
    """Trio has called abort already, and it returned FAILED: now nothing else would wake the task."""

    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = getattr(op, method)()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                task = await awaiting(nursery, coroutine)
                scope.cancel()
                with trio.CancelScope(shield=True):
                    await blocked()
                assert task.ends == []
                coroutine.close()
        task.assert_failed(REUSED)
        op.resolve()
        assert op.freed == 1 and op.cancelled == (method == "wait")

    trio.run(main)


def test_second_task_on_a_suspended_coroutine_is_refused_and_the_first_goes_on() -> None:
    async def main() -> None:
        op = t.Op("first's")
        coroutine = op.wait()
        async with trio.open_nursery() as nursery:
            task = await awaiting(nursery, coroutine)
            with pytest.raises(RuntimeError, match=AWAITED):
                await coroutine
            with pytest.raises(RuntimeError, match=AWAITED):
                coroutine.send(None)
            op.resolve()
        assert task.ends == ["first's"]

    trio.run(main)


def test_close_of_a_coroutine_whose_task_can_run_already_wakes_it_once() -> None:
    async def main() -> None:
        gate = t.Gate()
        coroutine = gate.wait_asked()
        async with trio.open_nursery() as nursery:
            task = await awaiting(nursery, coroutine)
            scheduled = trio.Event()
            trio.lowlevel.add_instrument(CloseAtTheScheduling(coroutine, scheduled))
            gate.wake()
            await scheduled.wait()
        task.assert_failed(REUSED)
        gate.drop()

    trio.run(main)


class CloseAtTheScheduling(trio.abc.Instrument):
    """Closes a coroutine when the next task of the test was made runnable."""

    def __init__(self, coroutine: Any, scheduled: trio.Event) -> None:
        self.coroutine, self.scheduled = coroutine, scheduled

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        if "Awaiting" in task.name:
            trio.lowlevel.remove_instrument(self)
            self.coroutine.close()
            self.scheduled.set()


# --- driven by hand ---


def test_coroutine_driven_by_hand_and_woken_does_not_break_the_run() -> None:
    """The task that drove it does not wait for it: rescheduling that task would end the run with an internal error."""

    async def main() -> None:
        op = t.Op("by hand")
        coroutine = op.wait()
        assert coroutine.send(None) is not None
        op.resolve()
        await t.sleep(0.001)  # until the drain that finds it is over
        with pytest.raises(StopIteration) as stop:
            coroutine.send(None)
        assert stop.value.value == "by hand"

    trio.run(main)


def test_driver_that_waits_for_something_else_is_not_woken_by_it() -> None:
    async def main() -> None:
        op, event = t.Op(), trio.Event()
        passed = []

        async def driver() -> None:
            coroutine = op.wait()
            coroutine.send(None)
            await event.wait()
            passed.append(True)
            coroutine.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver)
            await blocked()
            op.resolve()
            await blocked()
            assert passed == []
            event.set()
        assert passed == [True] and op.freed == 1

    trio.run(main)


def test_driver_that_waits_for_another_operation_is_woken_by_that_alone() -> None:
    async def main() -> None:
        by_hand, awaited = t.Op(), t.Op("awaited")
        ends = []

        async def driver() -> None:
            coroutine = by_hand.wait()
            coroutine.send(None)
            ends.append(await awaited.wait())
            coroutine.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver)
            await blocked()
            by_hand.resolve()
            await blocked()
            assert ends == []
            awaited.resolve()
        assert ends == ["awaited"]

    trio.run(main)


def test_coroutine_driven_by_hand_on_and_on_ends_with_its_value() -> None:
    async def main() -> None:
        coroutine = t.yield_times(5)
        yielded = 0
        while True:
            try:
                coroutine.send(None)
            except StopIteration:
                break
            yielded += 1
            while "resuming" not in repr(coroutine):
                await trio.lowlevel.checkpoint()
        assert yielded == 5

    trio.run(main)


def test_coroutine_driven_by_hand_cannot_be_awaited_afterwards() -> None:
    """As with a coroutine of Python: whoever began it has to go on."""

    async def main() -> None:
        gate = t.Gate()
        coroutine = gate.wait()
        coroutine.send(None)
        with pytest.raises(RuntimeError, match=AWAITED):
            await coroutine
        gate.wake()
        while "resuming" not in repr(coroutine):
            await trio.lowlevel.checkpoint()
        with pytest.raises(RuntimeError, match=AWAITED):
            await coroutine
        coroutine.close()
        gate.drop()

    trio.run(main)


@pytest.mark.parametrize("drive", [lambda c: c.close(), lambda c: pytest.raises(LookupError, c.throw, LookupError())])
def test_coroutine_driven_by_hand_is_ended_by_hand(drive: Callable[[Any], Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait()
        coroutine.send(None)
        drive(coroutine)
        assert op.cancelled == 1
        op.resolve()
        await blocked()
        assert op.freed == 1

    trio.run(main)


def test_coroutine_driven_by_hand_and_dropped_is_given_up() -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        op.wait().send(None)
        assert (op.cancelled, op.freed) == (1, 0)
        op.resolve()

    trio.run(main)


# --- another run ---


def test_coroutine_suspended_in_a_run_that_is_over_cannot_go_on_in_another() -> None:
    async def begin() -> None:
        coroutine.send(None)

    async def intrude() -> None:
        for _ in range(2):
            with pytest.raises(RuntimeError, match=ELSEWHERE):
                coroutine.send(None)
            with pytest.raises(RuntimeError, match=ELSEWHERE):
                await coroutine

    op = t.Op(on_cancel="ignored")
    coroutine = op.wait()
    trio.run(begin)
    trio.run(intrude)
    assert op.cancelled == 0
    coroutine.close()
    op.resolve()
    assert (op.cancelled, op.freed) == (1, 1)


def test_coroutine_of_a_run_in_another_thread_is_refused_and_its_own_task_goes_on() -> None:
    async def intrude() -> None:
        with pytest.raises(RuntimeError, match=ELSEWHERE):
            await coroutine
        refused.append(True)

    async def mine() -> None:
        values.append(await coroutine)

    op = t.Op("mine")
    coroutine = op.wait()
    values: list[Any] = []
    refused: list[bool] = []
    thread = threading.Thread(target=trio.run, args=(mine,))
    thread.start()
    wait_until(lambda: coroutine.cr_suspended)
    trio.run(intrude)
    assert refused == [True]
    op.resolve()
    thread.join()
    assert values == ["mine"]


def test_coroutine_woken_in_one_run_cannot_wait_in_another() -> None:
    async def begin() -> None:
        coroutine.send(None)
        gate.wake()
        while "resuming" not in repr(coroutine):
            await trio.lowlevel.checkpoint()

    async def intrude() -> None:
        with pytest.raises(RuntimeError, match=ELSEWHERE):
            coroutine.send(None)
        with pytest.raises(RuntimeError, match=REUSED):
            coroutine.send(None)

    gate = t.Gate()
    coroutine = gate.wait_asked()
    trio.run(begin)
    trio.run(intrude)
    assert (gate.polls, gate.cancels) == (2, 1)
    gate.drop()
