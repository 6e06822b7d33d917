"""Dropping is cancelling: a coroutine that is closed, or whose last reference goes, at each point of its life."""

import pytest

import _cawait_test as t
from support.common import ended, seeing, settle, started, suspended
from support.policies import every, told

# --- without an awaiter ---


def test_close_before_the_first_step_starts_nothing():
    op = t.Op(on_cancel="ignored")
    coroutine = op.wait()
    coroutine.close()
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)


@every
def test_close_of_a_suspended_coroutine_tells_and_leaves(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        coroutine = await suspended(getattr(op, method)())
        assert coroutine.close() is None and coroutine.close() is None
        assert op.cancelled == (1 if on_cancel == "ignored" and method != "wait_shielded" else 0)
        assert op.freed == 0
        op.resolve()
        assert op.freed == 1

    run(main)


def test_close_of_a_woken_coroutine_destroys_the_result(run):
    async def main():
        op = t.Op("unseen", on_cancel="ignored")
        coroutine = await suspended(op.wait())
        op.resolve()
        coroutine.close()
        assert (op.cancelled, op.freed) == (0, 1)
        await settle()

    run(main)


@pytest.mark.parametrize("on_cancel", ["ignored", "none"])
def test_last_reference_dropped_while_suspended_tells_once(run, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        coroutine = await suspended(op.wait())
        del coroutine
        assert told(op, on_cancel) and op.freed == 0
        assert op.resolve()
        assert told(op, on_cancel) and op.freed == 1

    run(main)


def test_chain_of_async_functions_that_is_closed_tells_once(run):
    async def chain(op):
        return await op.wait()

    async def main():
        op = t.Op(on_cancel="ignored")
        outer = chain(op)
        outer.send(None)
        outer.close()
        op.resolve()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


# --- awaited by a task ---


@every
def test_close_of_a_coroutine_that_a_task_awaits_wakes_it_with_an_error(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        coroutine = getattr(op, method)()
        task = await started(coroutine)
        coroutine.close()
        assert isinstance(await ended(task), RuntimeError)
        op.resolve()
        assert op.freed == 1

    run(main)


def test_close_of_a_coroutine_inside_an_async_function_wakes_the_task_with_an_error(run):
    async def chain(coroutine, seen):
        return await seeing(coroutine, seen)

    async def main():
        op, seen = t.Op(on_cancel="ignored"), []
        coroutine = op.wait()
        task = await started(chain(coroutine, seen))
        coroutine.close()
        assert isinstance(await ended(task), RuntimeError) and isinstance(seen[0], RuntimeError)
        op.resolve()

    run(main)


def test_close_of_a_coroutine_that_waits_for_its_cancel_tells_no_more(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait()
        task = await started(coroutine)
        task.cancel()
        await settle()
        coroutine.close()
        assert isinstance(await ended(task), RuntimeError)
        op.resolve()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


def test_close_in_the_turn_of_the_completion_wakes_the_task_once(run):
    async def main():
        op = t.Op("unseen")
        coroutine = op.wait()
        task = await started(coroutine)
        op.resolve()
        coroutine.close()
        assert isinstance(await ended(task), RuntimeError)
        assert op.freed == 1

    run(main)
