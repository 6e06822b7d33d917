"""Runs of trio: one task of the library in each, many runs in a row and at once, clocks, and the end of a run."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio
import trio.testing

import _cawait_test as t
from support.common import wait_until

blocked = trio.testing.wait_all_tasks_blocked


def watchers() -> list[trio.lowlevel.Task]:
    """The tasks of the library in this run."""
    root = trio.lowlevel.current_root_task()
    return [task for nursery in root.child_nurseries for task in nursery.child_tasks if "cawait" in task.name]


async def resolved(value: Any) -> Any:
    """A value that comes from a native thread."""
    op = t.Op(value)
    op.resolve_later(100)
    return await op.wait()


async def resolved_twenty_times(value: Any) -> list[Any]:
    """Await this many, one after the other."""
    return [await resolved(value) for _ in range(20)]


# --- one task for each run ---


def test_run_has_one_task_of_the_library_however_many_wait(hubs: Callable[[], list[Any]]) -> None:
    async def main() -> None:
        ops = [t.Op(n) for n in range(500)]
        assert watchers() == []
        assert await t.ready(1) == 1 and watchers() == []  # no operation has waited yet
        async with trio.open_nursery() as nursery:
            for op in ops:
                nursery.start_soon(op.wait)
            await blocked()
            assert len(watchers()) == 1 and len(hubs()) == 1
            for op in ops:
                op.resolve()
        await resolved(1)
        assert len(watchers()) == 1 and len(hubs()) == 1

    trio.run(main)
    gc.collect()
    assert hubs() == []


def test_awaiters_woken_at_once_are_resumed_by_one_drain() -> None:
    """A wake of many is one event for trio: the library's task takes one step for all of them, or at most two."""

    async def main() -> None:
        ops = [t.Op() for _ in range(200)]
        async with trio.open_nursery() as nursery:
            for op in ops:
                nursery.start_soon(op.wait)
            await blocked()
            steps = CountSteps(watchers()[0])
            trio.lowlevel.add_instrument(steps)
            for op in ops:
                op.resolve()
        trio.lowlevel.remove_instrument(steps)
        assert 1 <= steps.count <= 2

    trio.run(main)


class CountSteps(trio.abc.Instrument):
    """Counts the steps of a task."""

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task, self.count = task, 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task is self.task


# --- many runs ---


def test_runs_in_a_row_each_have_a_hub_of_their_own(hubs: Callable[[], list[Any]]) -> None:
    for n in range(20):
        assert trio.run(resolved, n) == n
        assert hubs() == []


def test_runs_in_several_threads_do_not_disturb_each_other() -> None:
    def one(n: int) -> list[Any]:
        return trio.run(resolved_twenty_times, n) + trio.run(resolved_twenty_times, n)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, range(12))) == [[n] * 40 for n in range(12)]


def test_trio_and_asyncio_in_threads_of_one_process_do_not_disturb_each_other() -> None:
    def one(n: int) -> list[Any]:
        run: Any = (trio.run, lambda function, *args: asyncio.run(function(*args)))[n % 2]
        return run(resolved_twenty_times, n)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, range(12))) == [[n] * 20 for n in range(12)]


def test_both_kinds_wait_at_the_same_time_in_two_threads() -> None:
    """Neither is resumed before the other waits: no run can end alone."""
    ops = {"trio": t.Op("trio"), "asyncio": t.Op("asyncio")}
    values = {}

    def main_of_trio() -> None:
        values["trio"] = trio.run(ops["trio"].wait)

    def main_of_asyncio() -> None:
        values["asyncio"] = asyncio.run(awaited(ops["asyncio"]))

    threads = [threading.Thread(target=function) for function in (main_of_trio, main_of_asyncio)]
    for thread in threads:
        thread.start()
    wait_until(lambda: all(op.started for op in ops.values()))
    for op in ops.values():
        op.resolve()
    for thread in threads:
        thread.join()
    assert values == {"trio": "trio", "asyncio": "asyncio"}


async def awaited(op: Any) -> Any:
    """The operation's value, for asyncio.run, which accepts only a coroutine of Python."""
    return await op.wait()


# --- clocks, and finding out when all tasks wait ---


def test_all_tasks_count_as_blocked_while_they_wait_for_operations() -> None:
    async def main() -> None:
        ops = [t.Op() for _ in range(5)]
        done: list[int] = []

        async def waiter(n: int) -> None:
            await ops[n].wait()
            done.append(n)

        async with trio.open_nursery() as nursery:
            for n in range(5):
                nursery.start_soon(waiter, n)
            for n in range(5):
                await blocked()
                assert all(op.started for op in ops) and len(done) == n
                ops[n].resolve()

    trio.run(main)


def test_nobody_counts_as_blocked_whose_operation_has_ended() -> None:
    """Trio sees a completion that is not delivered yet as an event, before it reports that all tasks wait."""

    async def main() -> None:
        op, done = t.Op(), []

        async def waiter() -> None:
            await op.wait()
            done.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await blocked()
            op.resolve()
            await blocked()
            assert done == [True]

    trio.run(main)


def test_clock_that_jumps_goes_on_while_an_operation_is_in_flight() -> None:
    """For such a clock a native operation takes no time, like a thread of trio."""

    async def main() -> None:
        op = t.Op("value")
        with trio.move_on_after(1000) as scope:
            await op.wait()
        assert scope.cancelled_caught and trio.current_time() - start >= 1000 and op.freed == 0
        op.resolve()
        later = t.Op("later")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(resolve_after, later, 500)
            assert await later.wait() == "later"
        assert trio.current_time() - start >= 1500

    async def resolve_after(op: Any, seconds: float) -> None:
        await trio.sleep(seconds)
        op.resolve()

    clock = trio.testing.MockClock(autojump_threshold=0)
    start = clock.current_time()
    trio.run(main, clock=clock)


def test_clock_that_stands_still_does_not_stop_operations() -> None:
    async def main() -> None:
        with trio.fail_after(1):
            await t.sleep(0.001)  # by the reactor's clock, not by trio's
            assert await resolved("value") == "value"

    trio.run(main, clock=trio.testing.MockClock())


# --- the end of a run ---


def test_run_that_ends_with_detached_operations_leaves_nothing(hubs: Callable[[], list[Any]]) -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                for op in ops:
                    nursery.start_soon(op.wait_detached)
                await blocked()
                scope.cancel()

    before = t.live_futures()
    ops = [t.Op(on_cancel="ignored") for _ in range(100)]
    trio.run(main)
    assert hubs() == []
    assert t.live_futures() == before + 100 and all((op.cancelled, op.freed) == (1, 0) for op in ops)
    for op in ops:
        op.resolve()
    assert t.live_futures() == before and all(op.freed == 1 for op in ops)


def test_native_threads_may_resolve_around_the_end_of_a_run() -> None:
    async def main(ops: list[Any]) -> None:
        async with trio.open_nursery() as nursery:
            for op in ops:
                nursery.start_soon(op.wait_detached)
            await blocked()
            t.resolve_many(ops, 0, 1)
            nursery.cancel_scope.cancel()

    every_op = []
    for _ in range(50):
        ops = [t.Op() for _ in range(20)]
        every_op += ops
        trio.run(main, ops)
    wait_until(lambda: all(op.freed == 1 for op in every_op))


@pytest.mark.parametrize("on_cancel", ["none", "resolves", "ignored"])
def test_system_task_that_waits_while_the_run_ends_ends_by_the_policy(on_cancel: str) -> None:
    """It is cancelled with the other system tasks, including the library's, which resumes it all the same."""

    async def main() -> None:
        trio.lowlevel.spawn_system_task(waiter)
        await blocked()

    async def waiter() -> None:
        try:
            await op.wait()
        except trio.Cancelled:
            ended.append(op.freed)
            raise

    def release() -> None:
        wait_until(lambda: op.cancelled or ended)
        op.resolve()

    op, ended = t.Op(on_cancel=on_cancel), []
    thread = threading.Thread(target=release)
    thread.start()
    trio.run(main)
    thread.join()
    assert ended == [0 if on_cancel == "none" else 1]
    assert op.cancelled == (on_cancel != "none") and op.freed == 1


def test_system_task_awaits_operations_after_it_was_cancelled(hubs: Callable[[], list[Any]]) -> None:
    """Shielded, also if it begins when the library has no task any more."""

    async def main() -> None:
        trio.lowlevel.spawn_system_task(waiter)
        await blocked()

    async def waiter() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await blocked(0.001)  # until the library's own task has ended, if there is one
                values.append(await resolved("late"))
                await blocked(0.001)
                values.append(await resolved("later"))

    values: list[Any] = []
    trio.run(main)
    assert values == ["late", "later"] and hubs() == []


def test_run_that_ends_by_an_exception_leaves_nothing(hubs: Callable[[], list[Any]]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for op in ops:
                nursery.start_soon(op.wait)
            await blocked()
            raise LookupError

    ops = [t.Op(on_cancel="resolves") for _ in range(10)]
    with pytest.raises(BaseException) as caught:
        trio.run(main)
    assert [type(one) for one in caught.value.exceptions] == [LookupError]
    assert all((op.cancelled, op.freed) == (1, 1) for op in ops) and hubs() == []


def test_async_generator_that_trio_finalizes_last_gets_an_error_and_no_hang(hubs: Callable[[], list[Any]]) -> None:
    """That is after the system tasks have ended, when no new one can be started."""

    async def numbers() -> Any:
        try:
            yield 1
        finally:
            with trio.CancelScope(shield=True):
                assert await t.ready(2) == 2
                with pytest.raises(RuntimeError, match="closed to new arrivals"):
                    await op.wait()
            ended.append(True)

    async def main() -> None:
        kept.append(numbers())
        await anext(kept[0])

    op = t.Op(on_cancel="resolves")
    kept: list[Any] = []
    ended: list[bool] = []
    trio.run(main)
    assert ended == [True] and hubs() == []
    assert op.cancelled == op.freed == 1


def test_coroutine_that_is_kept_suspended_by_hand_does_not_keep_the_run() -> None:
    """No task waits for it, so it would never be woken."""

    async def main() -> None:
        coroutine = op.wait()
        coroutine.send(None)
        kept.append(coroutine)

    op = t.Op(on_cancel="ignored")
    kept: list[Any] = []
    trio.run(main)
    assert op.cancelled == 0
    kept.pop().close()
    assert op.cancelled == 1
    op.resolve()


async def at_the_end(async_fn: Callable[[], Any]) -> None:
    """A system task that runs code when the end of the run cancels it."""
    try:
        await trio.sleep_forever()
    finally:
        await shielded(async_fn)


async def shielded(async_fn: Callable[[], Any]) -> None:
    """A system task that ignores the end of the run."""
    with trio.CancelScope(shield=True):
        await async_fn()


@pytest.mark.parametrize("waiter", [shielded, at_the_end])
@pytest.mark.parametrize("method, on_cancel", [("wait", "none"), ("wait_detached", "ignored")])
def test_run_ends_when_the_last_operation_it_waits_for_is_given_up(method: str, on_cancel: str, waiter: Any) -> None:
    """By its task, which detaches from it. Then nothing else wakes the library's own task."""

    async def main() -> None:
        await resolved(1)
        trio.lowlevel.spawn_system_task(waiter, wait)
        trio.lowlevel.spawn_system_task(at_the_end, give_up)
        await blocked()

    async def wait() -> None:
        with scope:
            await getattr(op, method)()

    async def give_up() -> None:
        while not op.started:
            await trio.sleep(0)
        await blocked(0.001)  # until the library's own task waits for this one
        scope.cancel()

    op, scope = t.Op(on_cancel=on_cancel), trio.CancelScope()
    trio.run(main)
    assert scope.cancelled_caught and (op.cancelled, op.freed) == (on_cancel != "none", 0)
    op.resolve()
    assert op.freed == 1


@pytest.mark.parametrize(
    "make",
    [lambda: t.yield_times(1), lambda: t.yield_times(5), lambda: t.sleep(0.001), lambda: t.spawned_sleep(0.001)],
    ids=["one wake", "five wakes", "timer", "pool"],
)
def test_operation_that_begins_at_the_end_of_a_run_ends_however_often_it_is_woken(make: Callable[[], Any]) -> None:
    async def main() -> None:
        await resolved(1)
        trio.lowlevel.spawn_system_task(at_the_end, last)
        await blocked()

    async def last() -> None:
        ended.append(await make())

    ended: list[Any] = []
    trio.run(main)
    assert ended == [None]


@pytest.mark.parametrize("method", ["wait", "wait_asked"])
def test_operation_that_is_woken_several_times_at_the_end_of_a_run_waits_on(method: str) -> None:
    """Shielded, or under the policy that waits."""

    async def main() -> None:
        await resolved(1)
        trio.lowlevel.spawn_system_task(waiter)
        trio.lowlevel.spawn_system_task(at_the_end, wake)
        await blocked()

    async def waiter() -> None:
        try:
            with trio.CancelScope(shield=method == "wait"):
                await getattr(gate, method)()
            ended.append("value")
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    async def wake() -> None:
        for polls in (2, 3):
            gate.wake()
            while gate.polls < polls:
                await trio.sleep(0)
            await blocked(0.001)
            assert ended == []
        gate.open()

    gate, ended = t.Gate(), []
    trio.run(main)
    assert ended == [{"wait": "value", "wait_asked": "Cancelled"}[method]]
    assert (gate.polls, gate.cancels) == (4, method == "wait_asked")
    gate.drop()
