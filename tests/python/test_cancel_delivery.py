"""Cancellation as the coroutine meets it: message, exact type and count; through chains; caught inside."""

import asyncio

import pytest
from common import ended, seeing, settle, since_311, started
from policies import every

import _cawait_test as t


# --- message and type ---


@every
def test_message_and_exact_type_reach_the_coroutine(run, method, on_cancel):
    async def main():
        op, seen = t.Op(on_cancel=on_cancel), []
        task = await started(seeing(getattr(op, method)(), seen))
        task.cancel("the reason")
        await settle()
        op.resolve()
        assert await ended(task) == "cancelled"
        assert [type(error) for error in seen] == [asyncio.CancelledError]
        assert seen[0].args == ("the reason",)

    run(main)


@every
def test_cancel_without_a_message_has_no_arguments(run, method, on_cancel):
    async def main():
        op, seen = t.Op(on_cancel=on_cancel), []
        task = await started(seeing(getattr(op, method)(), seen))
        task.cancel()
        await settle()
        op.resolve()
        await ended(task)
        assert [error.args for error in seen] == [()]

    run(main)


def test_message_of_the_second_cancel_is_the_one_that_detaches(run):
    async def main():
        op, seen = t.Op(on_cancel="ignored"), []
        task = await started(seeing(op.wait(), seen))
        task.cancel("first")
        await settle()
        task.cancel("second")
        await ended(task)
        assert [error.args for error in seen] == [("second",)]
        op.resolve()

    run(main)


# --- counts ---


@since_311
def test_every_cancel_is_counted(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        task = await started(op.wait_shielded())
        for n in range(1, 4):
            task.cancel()
            assert task.cancelling() == n
        op.resolve()
        await ended(task)
        assert task.cancelling() == 3

    run(main)


@since_311
@every
def test_task_goes_on_after_uncancel(run, method, on_cancel):
    async def body(op, after):
        with pytest.raises(asyncio.CancelledError):
            await getattr(op, method)()
        assert asyncio.current_task().uncancel() == 0
        return await after.wait()

    async def main():
        op, after = t.Op(on_cancel=on_cancel), t.Op("after")
        task = await started(body(op, after))
        task.cancel()
        await settle()
        op.resolve()
        while not after.started:
            await asyncio.sleep(0)
        after.resolve()
        assert await task == "after"

    run(main)


# --- async functions around it ---


def test_cancel_goes_through_a_chain_of_async_functions(run):
    async def chain(op, depth, left):
        try:
            return await (op.wait() if depth == 0 else chain(op, depth - 1, left))
        finally:
            left.append(depth)

    async def main():
        op, left = t.Op(on_cancel="resolves"), []
        task = await started(chain(op, 5, left))
        task.cancel("deep")
        assert await ended(task) == "cancelled"
        assert left == [0, 1, 2, 3, 4, 5] and (op.cancelled, op.freed) == (1, 1)

    run(main)


def test_cancel_that_is_caught_inside_lets_the_task_await_again(run):
    async def stubborn(first, second):
        try:
            await first.wait()
        except asyncio.CancelledError:
            return await second.wait()

    async def main():
        first, second = t.Op(on_cancel="resolves"), t.Op("second")
        task = await started(stubborn(first, second))
        task.cancel()
        await settle()
        second.resolve_later(500)
        assert await task == "second"

    run(main)
