"""Cancellation before the first step, close to the completion, and after it: neither is lost."""

import random

import pytest

import _cawait_test as t
from support.common import (
    all_ended,
    by_level,
    ended,
    on_trio,
    plain_task,
    settle,
    sleep,
    spawn,
    spawn_all,
    started,
    until,
)
from support.policies import after_cancel, every


@every
def test_cancel_before_the_first_step_starts_nothing(run, method, on_cancel):
    """But on anyio over asyncio a scope cancels only what is suspended; and on trio what is shielded starts."""

    async def main():
        op = t.Op(on_cancel=on_cancel)
        task = plain_task(getattr(op, method)())
        task.cancel()
        await settle()
        op.resolve()
        starts = by_level() and (not on_trio() or method == "wait_shielded")
        assert await ended(task) == (after_cancel(method, None) if starts else "cancelled")
        assert (op.started, op.freed) == (int(starts), 1) and op.cancelled <= op.started

    run(main)


@every
def test_cancel_right_after_the_completion_wins_and_the_result_is_destroyed(run, method, on_cancel):
    async def main():
        op = t.Op("lost", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        op.resolve()
        assert task.cancel()
        assert await ended(task) == after_cancel(method, "lost")
        assert (op.cancelled, op.freed) == (0, 1)

    run(main)


@every
def test_cancel_right_before_the_completion_wins_and_the_result_is_destroyed(run, method, on_cancel):
    async def main():
        op = t.Op("lost", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        assert task.cancel()
        op.resolve()
        assert await ended(task) == after_cancel(method, "lost")
        assert op.freed == 1 and op.cancelled <= 1

    run(main)


@every
def test_cancel_of_a_task_that_is_told_to_resume_already_wins(run, method, on_cancel):
    """The sibling is resumed first in the same batch, and cancels the next one. On trio the result wins: a rescheduled
    task resumes with it."""

    async def sibling(op, victim):
        await op.wait()
        return victim[0].cancel()

    async def main():
        first, second, victim = t.Op(), t.Op("lost", on_cancel=on_cancel), []
        canceller = await started(sibling(first, victim))
        victim.append(await started(getattr(second, method)()))
        first.resolve()
        second.resolve()
        assert await canceller or on_trio()  # trio may step the victim first
        assert await ended(victim[0]) == ("lost" if on_trio() else "cancelled")
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
def test_cancel_close_to_the_completion_never_loses_either(run, method, on_cancel):
    """On trio a result that is there already wins, and so does a shielded one. Otherwise the accepted cancel wins."""

    async def race(chance):
        op = t.Op("won", on_cancel=on_cancel)
        task = spawn(getattr(op, method)())
        await until(lambda: op.started)
        op.resolve_later(chance.randrange(2000))
        await sleep(0.001)
        taken = task.cancel()
        outcome = await ended(task)
        while not op.resolved:
            await sleep(0.0005)
        assert outcome == ("cancelled" if taken else "won") or (on_trio() and outcome == "won")
        assert op.cancelled <= 1
        return op

    async def main():
        chance = random.Random(1)
        for _ in range(20):
            races = spawn_all(race(chance) for _ in range(50))
            while not all(op.freed == 1 for op in [await one for one in races]):
                await sleep(0.0005)

    run(main)


def test_resolve_by_a_native_thread_after_the_consumer_is_gone_frees(run):
    async def main():
        ops = [t.Op() for _ in range(100)]
        tasks = [await started(op.wait()) for op in ops]
        t.resolve_many(ops, 500, 1)
        for task in tasks:
            task.cancel()
        await all_ended(tasks)
        while not all(op.freed == 1 for op in ops):
            await sleep(0.001)

    run(main)
