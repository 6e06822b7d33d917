"""A coroutine is awaited only once: a second await is an error, and the first one goes on."""

import asyncio

import pytest

import _cawait_test as t
from support.common import AWAITED, REUSED, awaiting, plain_task, settle, since_312, started

# --- one after the other ---


@pytest.mark.parametrize("make", [lambda: t.ready(1), lambda: t.yield_times(2)], ids=["ready", "suspended"])
def test_second_await_is_an_error(run, make):
    async def main():
        coroutine = make()
        await coroutine
        for _ in range(2):
            with pytest.raises(RuntimeError, match=REUSED):
                await coroutine

    run(main)


def test_await_of_a_closed_coroutine_is_an_error(run):
    async def main():
        coroutine = t.ready(1)
        coroutine.close()
        with pytest.raises(RuntimeError, match=REUSED):
            await coroutine

    run(main)


def test_two_tasks_one_after_the_other_on_one_coroutine(run):
    async def main():
        coroutine = t.yield_times(1)
        await plain_task(coroutine)
        with pytest.raises(RuntimeError, match=REUSED):
            await plain_task(coroutine)

    run(main)


# --- at the same time ---


def test_second_await_while_suspended_is_an_error_and_the_first_one_goes_on(run):
    async def main():
        op = t.Op("first")
        coroutine = op.wait()
        task = await started(awaiting(coroutine))
        with pytest.raises(RuntimeError, match=AWAITED):
            await coroutine
        op.resolve()
        assert await task == "first"

    run(main)


def test_second_task_on_a_coroutine_is_an_error_and_the_first_one_goes_on(run):
    async def main():
        op = t.Op("first")
        coroutine = op.wait()
        first = await started(coroutine)
        second = plain_task(coroutine)
        with pytest.raises(RuntimeError, match=AWAITED):
            await second
        op.resolve()
        assert await first == "first" and op.freed == 1

    run(main)


@since_312
def test_eager_task_on_a_busy_coroutine_is_an_error():
    async def main():
        op = t.Op("first")
        coroutine = op.wait()
        first = asyncio.ensure_future(coroutine)
        await settle()
        with pytest.raises(RuntimeError, match=AWAITED):
            await asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)
        op.resolve()
        assert await first == "first"

    asyncio.run(main())


def test_send_by_hand_while_a_task_awaits_is_an_error_and_the_task_goes_on(run):
    async def main():
        op = t.Op("first")
        coroutine = op.wait()
        task = await started(coroutine)
        for call in (
            lambda: coroutine.send(None),
            lambda: next(coroutine.__await__()),
            lambda: coroutine.__await__().send(None),
            lambda: awaiting(coroutine).send(None),
        ):
            with pytest.raises(RuntimeError, match=AWAITED):
                call()
        op.resolve()
        assert await task == "first"
        with pytest.raises(RuntimeError, match=REUSED):
            await coroutine

    run(main)
