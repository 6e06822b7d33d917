"""Cancellation before the first step, close to the completion, and after it: neither is lost."""

import asyncio
import random

import pytest
from common import ended, plain_task, started
from policies import every

import _cawait_test as t


@every
def test_cancel_before_the_first_step_starts_nothing(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        task = plain_task(getattr(op, method)())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert (op.started, op.cancelled, op.freed) == (0, 0, 1)

    run(main)


@every
def test_cancel_right_after_the_completion_wins_and_the_result_is_destroyed(run, method, on_cancel):
    async def main():
        op = t.Op("lost", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        op.resolve()
        assert task.cancel()
        assert await ended(task) == "cancelled"
        assert (op.cancelled, op.freed) == (0, 1)

    run(main)


@every
def test_cancel_right_before_the_completion_wins_and_the_result_is_destroyed(run, method, on_cancel):
    async def main():
        op = t.Op("lost", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        assert task.cancel()
        op.resolve()
        assert await ended(task) == "cancelled"
        assert op.freed == 1 and op.cancelled <= 1

    run(main)


@every
def test_cancel_of_a_task_that_is_told_to_resume_already_wins(run, method, on_cancel):
    """The sibling is resumed first, in the same batch, and cancels the one that comes next."""

    async def sibling(op, victim):
        await op.wait()
        return victim[0].cancel()

    async def main():
        first, second, victim = t.Op(), t.Op("lost", on_cancel=on_cancel), []
        canceller = await started(sibling(first, victim))
        victim.append(await started(getattr(second, method)()))
        first.resolve()
        second.resolve()
        assert await canceller
        assert await ended(victim[0]) == "cancelled"
        assert second.freed == 1

    run(main)


def test_cancel_of_a_task_that_is_done_changes_nothing(run):
    async def main():
        op = t.Op("kept", on_cancel="ignored")
        task = await started(op.wait())
        op.resolve()
        assert await task == "kept"
        assert not task.cancel() and op.cancelled == 0

    run(main)


@pytest.mark.parametrize("method, on_cancel", [("wait", "ignored"), ("wait", "none"), ("wait_shielded", "none")])
def test_cancel_close_to_the_completion_never_loses_either(new_loop, method, on_cancel):
    reported = []

    async def race(chance):
        loop = asyncio.get_running_loop()
        op, answer = t.Op("won", on_cancel=on_cancel), []
        task = loop.create_task(getattr(op, method)())
        await asyncio.sleep(0)
        op.resolve_later(chance.randrange(2000))
        loop.call_later(0.001, lambda: answer.append(task.cancel()))
        outcome = await ended(task)
        while not (answer and op.resolved):
            await asyncio.sleep(0.0005)
        assert outcome == ("cancelled" if answer[0] else "won")
        assert op.cancelled <= 1
        return op

    async def main():
        chance = random.Random(1)
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
        for _ in range(20):
            ops = await asyncio.gather(*[race(chance) for _ in range(50)])
            while not all(op.freed == 1 for op in ops):
                await asyncio.sleep(0.0005)

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()
    assert reported == []


def test_resolve_by_a_native_thread_after_the_consumer_is_gone_frees(run):
    async def main():
        ops = [t.Op() for _ in range(100)]
        tasks = [await started(op.wait()) for op in ops]
        t.resolve_many(ops, 500, 1)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        while not all(op.freed == 1 for op in ops):
            await asyncio.sleep(0.001)

    run(main)
