"""A bounded wait: under the policy wait with a grace period, a cancelled operation is waited for that long at most."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import anyio
import pytest
import trio

import _cawait_test as t
from support.common import cancellation, ended, expire, on_trio, settle, shield, sleep, started
from support.policies import told

METHODS = ["wait_with_grace", "wait_with_grace_thrown", "wait_with_grace_value_wins"]
methods = pytest.mark.parametrize("method", METHODS)


@methods
@pytest.mark.parametrize("on_cancel", ["ignored", "none"])
def test_awaiter_resumes_when_the_time_is_over(run, method, on_cancel):
    async def main():
        op = t.Op("late", on_cancel=on_cancel)
        op.thrown = []
        task = await started(getattr(op, method)())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert told(op, on_cancel) and op.freed == 0
        assert [type(error) for error in op.thrown] == ([cancellation()] if method == "wait_with_grace_thrown" else [])
        assert op.resolve() and op.freed == 1
        del op.thrown[:]

    run(main)


@methods
def test_operation_that_ends_in_time_ends_the_wait(run, method):
    async def main():
        op = t.Op("in time", on_cancel="resolves")
        op.thrown = []
        task = await started(getattr(op, method)())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert (op.cancelled, op.freed) == (1, 1)
        await sleep(0.02)
        del op.thrown[:]

    run(main)


def test_value_that_comes_in_time_wins_and_one_that_comes_late_does_not(run):
    async def main():
        op = t.Op("won", on_cancel="value")
        task = await started(op.wait_with_grace_value_wins())
        task.cancel()
        assert await ended(task) == "won"
        op = t.Op("late", on_cancel="ignored")
        task = await started(op.wait_with_grace_value_wins())
        task.cancel()
        assert await ended(task) == "cancelled"
        op.resolve()

    run(main)


def test_operation_that_is_not_cancelled_has_all_the_time(run):
    async def main():
        op = t.Op("value")
        task = await started(op.wait_with_grace())
        await sleep(0.02)
        assert not task.done()
        op.resolve()
        assert await ended(task) == "value"

    run(main)


def test_long_period_is_left_by_the_end_of_the_operation(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        task = await started(op.wait_with_long_grace())
        task.cancel()
        await settle()
        assert not task.done() and op.cancelled == 1
        op.resolve()
        assert await ended(task) == "cancelled" and op.freed == 1

    run(main)


def test_coroutine_that_is_dropped_in_its_period_leaves_nothing(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait_with_long_grace()
        task = await started(coroutine)
        task.cancel()
        await settle()
        coroutine.close()
        outcome = await ended(task)
        assert outcome == "cancelled" or isinstance(outcome, RuntimeError)
        op.resolve()
        assert op.freed == 1

    run(main)


def test_a_hundred_that_are_cancelled_at_once_are_all_left(run):
    async def main():
        ops = [t.Op(n, on_cancel="ignored") for n in range(100)]
        tasks = [await started(op.wait_with_grace()) for op in ops]
        for task in tasks:
            task.cancel()
        assert [await ended(task) for task in tasks] == ["cancelled"] * 100
        assert all(op.resolve() for op in ops) and all(op.freed == 1 for op in ops)

    run(main)


def test_stream_that_does_not_end_is_left_when_the_time_is_over(run):
    async def main():
        closing = []

        async def items():
            try:
                while True:
                    yield 1
                    await sleep(3600)
            finally:
                closing.append(True)
                with shield(), contextlib.suppress(GeneratorExit, cancellation()):
                    await sleep(0.5)

        stream = t.relay_posted_with_grace(items(), 1)
        assert await anext(stream) == 1
        task = await started(anext(stream))
        task.cancel()
        assert await ended(task) == "cancelled"
        await settle()
        assert closing == [True]
        await stream.aclose()
        del stream
        gc.collect()

    run(main)


# --- time-outs of each framework ---


def peer():
    return t.Op(on_cancel="ignored")


def test_wait_for_of_asyncio_fires(run_asyncio):
    async def main():
        op = peer()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(op.wait_with_grace(), 0.001)
        op.resolve()

    run_asyncio(main)


@pytest.mark.skipif(not hasattr(asyncio, "timeout"), reason="asyncio has timeout from 3.11 on")
def test_timeout_of_asyncio_fires(run_asyncio):
    async def main():
        op = peer()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await op.wait_with_grace()
        op.resolve()

    run_asyncio(main)


@pytest.mark.parametrize("method", METHODS)
def test_scopes_of_anyio_and_trio_fire(run, method):
    async def main():
        libraries = [anyio, trio] if on_trio() else [anyio]
        for library in libraries:
            op = peer()
            op.thrown = []
            with library.move_on_after(60) as scope:
                expire(scope)
                await getattr(op, method)()
                raise AssertionError
            assert scope.cancelled_caught and op.cancelled == 1
            op.resolve()
            op = peer()
            op.thrown = []
            with pytest.raises((TimeoutError, trio.TooSlowError)):
                with library.fail_after(60) as scope:
                    expire(scope)
                    await getattr(op, method)()
            op.resolve()
            del op.thrown[:]

    run(main)
