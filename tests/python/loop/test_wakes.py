"""Wakes: coalesced, never lost, harmless when late; and how a woken task resumes."""

import asyncio
import contextvars

import pytest

import _cawait_test as t
from support.common import cancelled, current_task, results, settle, sleep, spawn, spawn_all, started, until

variable = contextvars.ContextVar("variable", default="unset")


# --- many, and early ---


def test_two_wakes_are_one_poll(run):
    async def main():
        gate = t.Gate()
        task = await started(gate.wait())
        assert gate.polls == 1
        gate.wake(5)
        await until(lambda: gate.polls == 2)
        await settle()
        assert gate.polls == 2
        gate.open(2)
        await task
        assert gate.polls == 3

    run(main)


@pytest.mark.parametrize("wakes", [1, 2, 10])
def test_wake_during_the_poll_is_not_lost(run, wakes):
    async def main():
        assert await t.yield_times(5, wakes) is None

    run(main)


def test_future_that_wakes_itself_does_not_starve_other_callbacks(run):
    async def main():
        task = spawn(t.yield_times(10**9))
        await settle(100)
        await sleep(0.001)
        assert not task.done()
        await cancelled(task)

    run(main)


# --- late ---


def test_wake_after_the_completion_is_ignored(run):
    async def main():
        gate = t.Gate()
        task = await started(gate.wait())
        gate.open()
        await task
        gate.wake(3)
        await settle()
        assert gate.polls == 2

    run(main)


def test_wake_after_close_is_ignored(run):
    async def main():
        gate = t.Gate()
        coroutine = gate.wait()
        coroutine.send(None)
        coroutine.close()
        gate.wake(3)
        await settle()
        assert gate.polls == 1

    run(main)


def test_wake_that_is_queued_when_the_coroutine_closes_is_ignored(run):
    async def main():
        gate, after = t.Gate(), t.Op("after")
        coroutine = gate.wait()
        coroutine.send(None)
        gate.wake(2)
        coroutine.close()
        after.resolve_later(200)
        assert await after.wait() == "after"
        assert gate.polls == 1

    run(main)


def test_late_wake_of_a_finished_coroutine_does_not_wake_the_next_one(run):
    """Wake targets are reused; an old waker must not wake the new owner."""

    async def main():
        for _ in range(50):
            old, new = t.Gate(), t.Gate()
            task = await started(old.wait())
            old.open()
            await task
            task = await started(new.wait())
            old.wake(2)
            await settle()
            assert new.polls == 1
            new.open()
            await task

    run(main)


def test_gate_without_a_waker_wakes_nobody():
    gate = t.Gate()
    gate.wake(3)
    gate.drop()
    gate.drop()
    gate.open()


# --- the task that resumes ---


def test_wake_keeps_context_variables_and_current_task(run):
    async def body(n, op):
        variable.set(n)
        seen, me = [], current_task()
        for _ in range(3):
            value = await op[len(seen)].wait()
            seen.append((value, variable.get(), current_task() is me))
        return seen

    async def main():
        ops = [[t.Op(n) for _ in range(3)] for n in range(20)]
        tasks = spawn_all(body(n, op) for n, op in enumerate(ops))
        for i in range(3):
            await until(lambda: all(op[i].started for op in ops))
            t.resolve_many([op[i] for op in ops])
        assert await results(tasks) == [[(n, n, True)] * 3 for n in range(20)]
        assert variable.get() == "unset"

    run(main)


def test_wake_happens_inside_the_running_loop_of_the_task(run_asyncio):
    async def main():
        loop = asyncio.get_running_loop()
        op = t.Op()
        op.resolve_later(500)
        await op.wait()
        assert asyncio.get_running_loop() is loop and asyncio.current_task(loop) is not None

    run_asyncio(main)
