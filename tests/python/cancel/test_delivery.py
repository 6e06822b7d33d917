"""How a cancellation arrives in the coroutine: message, exact type and count; through several coroutines; caught."""

import asyncio

import pytest

import _cawait_test as t
from support.common import (
    by_level,
    cancellation,
    ended,
    on_trio,
    seeing,
    settle,
    shield,
    since_311,
    sleep,
    started,
    turn,
    until,
)
from support.policies import after_cancel, every, shielded

# --- message and type ---


@every
def test_cancellation_of_the_framework_reaches_the_coroutine(run, method, on_cancel):
    async def main():
        op, seen = t.Op("value", on_cancel=on_cancel), []
        task = await started(seeing(getattr(op, method)(), seen))
        task.cancel()
        await settle()
        op.resolve()
        assert await ended(task) == after_cancel(method, "value")
        assert [type(error) for error in seen] == ([cancellation()] if task.cancelled() else [])

    run(main)


# The following is for asyncio only: on trio and anyio a cancellation has no message.


@every
def test_message_and_exact_type_reach_the_coroutine(run_asyncio, method, on_cancel):
    async def main():
        op, seen = t.Op(on_cancel=on_cancel), []
        task = await started(seeing(getattr(op, method)(), seen))
        task.cancel("the reason")
        await settle()
        op.resolve()
        assert await ended(task) == "cancelled"
        assert [type(error) for error in seen] == [asyncio.CancelledError]
        assert seen[0].args == ("the reason",)

    run_asyncio(main)


@every
def test_cancel_without_a_message_has_no_arguments(run_asyncio, method, on_cancel):
    async def main():
        op, seen = t.Op(on_cancel=on_cancel), []
        task = await started(seeing(getattr(op, method)(), seen))
        task.cancel()
        await settle()
        op.resolve()
        await ended(task)
        assert [error.args for error in seen] == [()]

    run_asyncio(main)


def test_message_of_the_second_cancel_is_the_one_that_detaches(run_asyncio):
    async def main():
        op, seen = t.Op(on_cancel="ignored"), []
        task = await started(seeing(op.wait(), seen))
        task.cancel("first")
        await settle()
        task.cancel("second")
        await ended(task)
        assert [error.args for error in seen] == [("second",)]
        op.resolve()

    run_asyncio(main)


@pytest.mark.parametrize("method", ["wait", "wait_thrown"])
def test_two_cancels_in_one_turn_detach(run_asyncio, method):
    """Also if the first one is delivered before the second one can be seen."""

    async def main():
        op, seen = t.Op(on_cancel="ignored"), []
        op.thrown = []
        task = await started(seeing(getattr(op, method)(), seen))
        task.cancel("first")
        task.cancel("second")
        await settle()
        detached = task.done()
        op.resolve()
        assert await ended(task) == "cancelled" and detached
        assert [error.args for error in seen] == [("second",)]
        assert (op.cancelled, op.freed) == (1, 1)
        del op.thrown[:], seen[:]

    run_asyncio(main)


# --- counts ---


@since_311
def test_every_cancel_is_counted(run_asyncio):
    async def main():
        op = t.Op(on_cancel="ignored")
        task = await started(op.wait_shielded())
        for n in range(1, 4):
            task.cancel()
            assert task.cancelling() == n
        op.resolve()
        await ended(task)
        assert task.cancelling() == 3

    run_asyncio(main)


@since_311
@every
def test_task_goes_on_after_uncancel(run_asyncio, method, on_cancel):
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

    run_asyncio(main)


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
        task.cancel()
        assert await ended(task) == "cancelled"
        assert left == [0, 1, 2, 3, 4, 5] and (op.cancelled, op.freed) == (1, 1)

    run(main)


def test_cancel_that_is_caught_inside_lets_the_task_await_again(run):
    async def stubborn(first, second):
        try:
            await first.wait()
        except cancellation():
            with shield():  # for cancellations that last
                return await second.wait()

    async def main():
        first, second = t.Op(on_cancel="resolves"), t.Op("second")
        task = await started(stubborn(first, second))
        task.cancel()
        await settle()
        second.resolve_later(500)
        assert await task == "second"

    run(main)


def test_cancellation_lasts_where_the_framework_says_so(run):
    """If it is caught inside, it comes again at the next await on trio and anyio. On trio nothing is started then."""

    async def stubborn(first, second):
        with pytest.raises(cancellation()):
            await first.wait()
        return await second.wait()

    async def main():
        first, second = t.Op(on_cancel="resolves"), t.Op("second", on_cancel="resolves")
        task = await started(stubborn(first, second))
        task.cancel()
        await until(lambda: second.started or task.done())
        second.resolve()
        assert await ended(task) == ("cancelled" if by_level() else "second")
        assert second.started == (0 if on_trio() else 1)

    run(main)


@shielded
def test_cancellation_of_a_shielded_operation_comes_at_its_end_or_at_the_next_checkpoint(run, method, on_cancel):
    """On trio functions return a result that they have: it is not discarded for a cancellation that can wait."""

    async def body(op, reached):
        reached.append(await getattr(op, method)())
        await turn()
        reached.append("the end")

    async def main():
        op, reached = t.Op("value", on_cancel=on_cancel), []
        task = await started(body(op, reached))
        task.cancel()
        await sleep(0.001)
        op.resolve()
        assert await ended(task) == "cancelled"
        assert reached == (["value"] if on_trio() else [])

    run(main)
