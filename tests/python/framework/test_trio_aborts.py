"""On trio: abort functions called late, by hand, in the middle of something else, and after the coroutine."""

from __future__ import annotations

import types
from typing import Any

import pytest
import trio
import trio.testing

import _cawait_test as t
from support.common import REUSED

blocked = trio.testing.wait_all_tasks_blocked


def raise_cancel() -> None:
    """The argument of an abort function, here with an exception that is not trio's."""
    raise LookupError("cancelled")


class Forwarding:
    """A task that awaits a coroutine through a driver that keeps the abort function."""

    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine
        self.abort: Any = None

    @types.coroutine
    def drive(self) -> Any:
        """Await it to its end."""
        message = self.coroutine.send(None)
        self.abort = message.abort_func
        while True:
            sent = yield message
            del message
            try:
                message = self.coroutine.send(sent)
            except StopIteration as stop:
                return stop.value

    async def main(self) -> Any:
        """The code of the task."""
        return await self.drive()


async def forwarding(nursery: trio.Nursery, coroutine: Any) -> Forwarding:
    """Start one and let it suspend."""
    task = Forwarding(coroutine)
    nursery.start_soon(task.main)
    await blocked()
    return task


def test_abort_of_an_operation_that_has_ended_does_nothing_to_others() -> None:
    async def main() -> None:
        ended, others = [t.Op() for _ in range(5)], [t.Op(on_cancel="ignored") for _ in range(20)]
        async with trio.open_nursery() as nursery:
            tasks = [await forwarding(nursery, op.wait()) for op in ended]
            for op in ended:
                op.resolve()
        async with trio.open_nursery() as nursery:
            for task in tasks:
                task.coroutine = None
            for op in others:
                nursery.start_soon(op.wait)
            await blocked()
            answers = [task.abort(raise_cancel) for task in tasks]
            told = [op.cancelled for op in others]
            for op in others:
                op.resolve()
        assert answers == [trio.lowlevel.Abort.SUCCEEDED] * 5 and told == [0] * 20

    trio.run(main)


def test_abort_that_closes_the_coroutine_tells_nobody_of_it() -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        op.thrown = []
        coroutine = op.wait_thrown()

        def close_and_raise() -> None:
            coroutine.close()
            raise_cancel()

        with pytest.raises(BaseException) as caught:
            async with trio.open_nursery() as nursery:
                task = await forwarding(nursery, coroutine)
                assert task.abort(close_and_raise) is trio.lowlevel.Abort.FAILED
        assert [str(one) for one in caught.value.exceptions] == [REUSED]
        assert op.thrown == [] and op.cancelled == 1
        op.resolve()
        assert op.freed == 1

    trio.run(main)


def test_abort_while_somebody_else_steps_the_coroutine_is_not_lost() -> None:
    """The exception that was thrown is passed to the author's function, which cancels the waiting task."""

    async def main() -> None:
        op, scope = t.Op(), trio.CancelScope()
        op.thrown = lambda _: scope.cancel()
        coroutine = op.wait_thrown()
        left = []

        async def waiter() -> None:
            with scope, pytest.raises(RuntimeError, match=REUSED):
                await coroutine
            left.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await blocked()
            with pytest.raises(LookupError, match="thrown"):
                coroutine.throw(LookupError("thrown"))
        assert left == [True] and scope.cancel_called
        op.resolve()
        assert op.freed == 1
        op.thrown = []

    trio.run(main)


@pytest.mark.parametrize("method", ["wait", "wait_shielded", "wait_thrown"])
def test_abort_called_by_hand_does_not_have_its_driver_woken(method: str) -> None:
    async def main() -> None:
        op, event, passed = t.Op(on_cancel="ignored"), trio.Event(), []

        async def driver() -> None:
            coroutine = getattr(op, method)()
            assert coroutine.send(None).abort_func(raise_cancel) is trio.lowlevel.Abort.FAILED
            coroutine.close()
            await event.wait()
            passed.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(driver)
            await blocked()
            assert passed == []
            event.set()
        assert passed == [True]
        op.resolve()
        assert op.freed == 1

    trio.run(main)


def test_task_that_waits_on_for_a_coroutine_it_has_dropped_can_be_cancelled() -> None:
    @types.coroutine
    def drop(coroutines: list[Any]) -> Any:
        message = coroutines.pop().send(None)
        return (yield message)

    async def main() -> None:
        op, scope = t.Op(on_cancel="ignored"), trio.CancelScope()

        async def waiter() -> None:
            with scope:
                (await drop([op.wait()])).unwrap()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await blocked()
            assert op.cancelled == 1
            scope.cancel()
        assert scope.cancelled_caught
        op.resolve()
        assert op.freed == 1

    trio.run(main)
