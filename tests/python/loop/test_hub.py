"""The hub, one for each loop: its calls of the loop, and its thread where the loop watches no fds."""

import asyncio
import contextvars
import gc
import os
import time
import weakref

import pytest

import _cawait_test as t
from support.common import Value, resolve_all, results, suspended_tasks, wait_until

variable = contextvars.ContextVar("variable", default="unset")


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts the bridge's calls of the loop."""

    def __init__(self):
        self.readers, self.threadsafe = [], 0
        super().__init__()
        self.set_debug(False)

    def add_reader(self, fd, callback, *args):
        self.readers.append(fd)
        super().add_reader(fd, callback, *args)


class CountingLoopWithoutReader(CountingLoop):
    def add_reader(self, fd, callback, *args):
        raise NotImplementedError

    def call_soon_threadsafe(self, callback, *args, context=None):
        self.threadsafe += 1
        return super().call_soon_threadsafe(callback, *args, context=context)


# --- one hub for each loop ---


def test_one_loop_has_one_hub_and_one_reader(hubs):
    async def main(n):
        ops = [t.Op(n) for _ in range(10)]
        tasks = await suspended_tasks(op.wait() for op in ops)
        resolve_all(ops)
        assert await asyncio.gather(*tasks) == [n] * 10
        return len(hubs())

    loop = CountingLoop()
    assert [loop.run_until_complete(main(n)) for n in range(3)] == [1, 1, 1]
    assert len(loop.readers) == 1
    loop.close()
    assert hubs() == []


def test_one_run_has_one_hub_and_takes_it_with_it(run, kind, hubs):
    async def main():
        ops = [t.Op() for _ in range(10)]
        tasks = await suspended_tasks(op.wait() for op in ops)
        resolve_all(ops)
        await results(tasks)
        return len(hubs())

    assert run(main) == 1
    if kind == "asyncio+no-reader":
        wait_until(lambda: hubs() == [])  # the watching thread may just be using it
    assert hubs() == []


def test_two_runs_in_one_process_work(run):
    async def main(value):
        op = t.Op(value)
        op.resolve_later(500)
        return await op.wait()

    assert [run(main, n) for n in range(3)] == [0, 1, 2]


def test_two_loops_that_take_turns_do_not_disturb_each_other(new_loop):
    async def begin(op):
        return await suspended_tasks([op.wait()])

    async def end(tasks):
        return await tasks[0]

    loops, ops = [new_loop(), new_loop()], [t.Op("one"), t.Op("two")]
    tasks = [loop.run_until_complete(begin(op)) for loop, op in zip(loops, ops)]
    resolve_all(ops)
    assert [loop.run_until_complete(end(task)) for loop, task in zip(loops, tasks)] == ["one", "two"]


def test_hub_does_not_keep_the_context_it_was_made_in(new_loop):
    async def body(value):
        variable.set(value)
        await t.yield_times(1)

    loop, value = new_loop(), Value()
    loop.run_until_complete(body(value))
    alive = weakref.ref(value)
    del value
    gc.collect()
    assert alive() is None


# --- loops without add_reader ---


def native_threads():
    """How many threads the process has, whoever has made them."""
    return len(os.listdir("/proc/self/task"))


@pytest.fixture
def helpers():
    """How many threads there are more than before the test: those that stand in for add_reader. Waits until those of
    earlier tests have ended."""
    counts = []

    def settled():
        counts.append(native_threads())
        return len(counts) > 50 and len(set(counts[-50:])) == 1

    wait_until(settled)
    return lambda: native_threads() - counts[-1]


def test_helper_calls_the_loop_once_per_batch():
    """And once more when a drain takes long, since a step may have run the loop inside itself."""

    async def main():
        loop = asyncio.get_running_loop()
        ops = [t.Op(n) for n in range(1000)]
        tasks = await suspended_tasks(op.wait() for op in ops)
        loop.threadsafe = 0
        resolve_all(ops)
        assert await asyncio.gather(*tasks) == list(range(1000))
        return loop.threadsafe

    loop = CountingLoopWithoutReader()
    assert 1 <= loop.run_until_complete(main()) < 10  # and not a thousand times
    loop.close()


def test_helper_survives_its_loop_standing_still():
    """An operation that is completed while the loop does not run is delivered when it runs again."""

    async def begin(ops):
        return await suspended_tasks(op.wait() for op in ops)

    async def end(tasks):
        return await asyncio.gather(*tasks)

    loop = CountingLoopWithoutReader()
    ops = [t.Op(n) for n in range(10)]
    tasks = loop.run_until_complete(begin(ops))
    for op in ops:
        op.resolve()
        time.sleep(0.001)
    assert loop.run_until_complete(end(tasks)) == list(range(10))
    loop.close()


def test_helper_ends_with_its_loop(helpers):
    loop = CountingLoopWithoutReader()
    loop.run_until_complete(t.yield_times(1))
    assert helpers() == 1
    loop.close()
    wait_until(lambda: helpers() == 0)


@pytest.mark.parametrize("turn", range(3))
def test_helpers_of_many_short_loops_all_end(helpers, turn):
    for _ in range(30):
        loop = CountingLoopWithoutReader()
        loop.run_until_complete(t.sleep(0))
        loop.close()
    wait_until(lambda: helpers() == 0)
