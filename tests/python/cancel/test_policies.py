"""When the awaiter resumes after a cancel, under each of the three policies; and on_cancel is called only once."""

import asyncio
import gc
import weakref

import pytest

import _cawait_test as t
from support.common import Value, by_level, ended, settle, started, suspended
from support.policies import after_cancel, detached, every, shielded, told, waiting


@waiting
def test_waiting_awaiter_resumes_only_after_the_native_end(run, method, on_cancel):
    async def main():
        op = t.Op("late", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        task.cancel()
        await settle()
        assert not task.done() and told(op, on_cancel) and op.freed == 0
        op.resolve()
        assert await ended(task) == "cancelled"
        assert told(op, on_cancel) and op.freed == 1

    run(main)


@detached
def test_detached_awaiter_resumes_at_once(run, method, on_cancel):
    async def main():
        op = t.Op("unseen", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert told(op, on_cancel) and op.resolved == 0 and op.freed == 0
        assert op.resolve()
        assert op.freed == 1 and told(op, on_cancel)

    run(main)


@shielded
def test_shielded_awaiter_resumes_after_the_end_and_nobody_is_told(run, method, on_cancel):
    async def main():
        op = t.Op("shielded", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        for _ in range(5):
            task.cancel()
            await settle()
        assert not task.done() and op.cancelled == 0
        op.resolve()
        assert await ended(task) == after_cancel(method, "shielded")
        assert op.cancelled == 0 and op.freed == 1

    run(main)


@waiting
def test_second_cancel_detaches_a_waiting_operation(run, method, on_cancel):
    """Not on trio and anyio: there all cancels of a scope are a single one, which lasts."""

    async def main():
        op = t.Op(on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        task.cancel()
        await settle()
        assert not task.done()
        task.cancel()
        await settle()
        assert task.done() == (not by_level())
        assert told(op, on_cancel) and op.resolved == 0 and op.freed == 0
        op.resolve()
        assert await ended(task) == "cancelled"
        assert op.freed == 1

    run(main)


@every
def test_native_side_is_told_at_most_once(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        coroutine = getattr(op, method)()
        task = await started(coroutine)
        for _ in range(5):
            task.cancel()
        await settle()
        task.cancel()
        op.resolve()
        assert await ended(task) == after_cancel(method, None)
        coroutine.close()
        assert op.cancelled == (1 if on_cancel == "ignored" and method != "wait_shielded" else 0)

    run(main)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_future_with_a_cancel_of_its_own_is_asked_once(run, times):
    """A promise would hide a second call; this future counts every call."""

    async def main():
        gate = t.Gate()
        coroutine = gate.wait_asked()
        task = await started(coroutine)
        for _ in range(times):
            task.cancel()
            await settle()
        assert gate.cancels == 1 and task.done() == (times > 1 and not by_level())
        gate.open()
        assert await ended(task) == "cancelled"
        coroutine.close()
        assert gate.cancels == 1
        gate.drop()

    run(main)


def test_future_that_is_closed_after_its_cancel_is_asked_once(run):
    async def main():
        gate = t.Gate()
        coroutine = await suspended(gate.wait_asked())
        coroutine.throw(asyncio.CancelledError())
        assert gate.cancels == 1
        coroutine.close()
        assert gate.cancels == 1
        gate.drop()

    run(main)


def test_operation_that_ends_on_cancel_ends_the_await(run):
    async def main():
        op = t.Op(on_cancel="resolves")
        task = await started(op.wait())
        task.cancel()
        assert op.resolved == 1
        assert await ended(task) == "cancelled"
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


@pytest.mark.parametrize("method", ["wait", "wait_waiting", "wait_detached", "wait_nogil"])
def test_value_resolved_inside_on_cancel_does_not_swallow_the_cancel(run, method):
    async def main():
        value = Value()
        alive = weakref.ref(value)
        op = t.Op(value, on_cancel="value")
        del value
        task = await started(getattr(op, method)())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert (op.cancelled, op.resolved, op.freed) == (1, 1, 1)
        del op, task
        gc.collect()
        assert alive() is None

    run(main)
