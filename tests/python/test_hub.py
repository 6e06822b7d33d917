"""The hub: one for each loop, gone with the loop, and a drain that delivers everything whatever a step does."""

import _thread
import asyncio
import contextvars
import gc
import heapq
import sys
import time
import weakref
from asyncio.tasks import _current_tasks

import pytest

import _cawait_test as t

variable = contextvars.ContextVar("variable", default="unset")


def all_hubs():
    return [one for one in gc.get_objects() if type(one).__module__ == "cawait" and type(one).__name__ == "hub"]


@pytest.fixture
def hubs():
    """A function: the hubs that the test has made. Those of the test before may have had a thread to wait for."""
    wait_until(lambda: gc.collect() >= 0 and not all_hubs())
    return all_hubs


async def settle(turns=10):
    for _ in range(turns):
        await asyncio.sleep(0)


async def suspended_tasks(coroutines):
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    await settle()
    return tasks


def wait_until(condition):
    """For what other threads have still to do."""
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.001)


def settled_thread_count():
    """How many threads Python has started, once those that are ending have ended."""
    count, same = _thread._count(), 0
    while same < 50:
        time.sleep(0.001)
        same = same + 1 if _thread._count() == count else 0
        count = _thread._count()
    return count


def resolve_all(ops):
    for op in ops:
        op.resolve()


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts what the bridge asks of the loop."""

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


def test_two_runs_in_one_process_work(run):
    async def main(value):
        op = t.Op(value)
        op.resolve_later(500)
        return await op.wait()

    assert [run(main, n) for n in range(3)] == [0, 1, 2]


def test_asyncio_run_takes_the_coroutine_itself():
    for n in range(2):
        op = t.Op(n)
        op.resolve_later(500)
        assert asyncio.run(op.wait()) == n


def test_two_loops_that_take_turns_do_not_disturb_each_other(new_loop):
    async def begin(op):
        return await suspended_tasks([op.wait()])

    async def end(tasks):
        return await tasks[0]

    loops, ops = [new_loop(), new_loop()], [t.Op("one"), t.Op("two")]
    tasks = [loop.run_until_complete(begin(op)) for loop, op in zip(loops, ops)]
    resolve_all(ops)
    assert [loop.run_until_complete(end(task)) for loop, task in zip(loops, tasks)] == ["one", "two"]


# --- the end of a loop ---


def test_closed_loop_takes_its_hub_with_it(new_loop, hubs):
    async def main():
        await t.sleep(0)
        return len(hubs())

    loop = new_loop()
    assert loop.run_until_complete(main()) == 1
    loop.close()
    assert hubs() == []


def test_loop_that_is_dropped_without_close_takes_its_hub_with_it(new_loop, loop_kind, hubs):
    async def main():
        await t.yield_times(1)

    if loop_kind == "uvloop":
        pytest.skip("uvloop keeps a loop that is not closed")
    loop = asyncio.SelectorEventLoop() if loop_kind != "no_reader" else CountingLoopWithoutReader()
    loop.set_debug(False)
    loop.run_until_complete(main())
    assert len(hubs()) == 1
    gone = weakref.ref(loop)
    del loop
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        wait_until(lambda: gc.collect() is not None and gone() is None)  # the helper may just be using it
    assert hubs() == []


def test_loop_closed_with_operations_in_flight_leaves_nothing_and_says_nothing(new_loop, capfd, hubs):
    async def main(ops):
        tasks = await suspended_tasks(op.wait() for op in ops)
        for task in tasks:
            task._log_destroy_pending = False

    ops = [t.Op(on_cancel=kind) for kind in ("none", "ignored") for _ in range(50)]
    loop = new_loop()
    loop.run_until_complete(main(ops))
    resolve_all(ops[::2])
    loop.close()
    gc.collect()
    assert hubs() == []
    resolve_all(ops)
    assert [op.freed for op in ops] == [1] * len(ops)
    assert capfd.readouterr() == ("", "")


def test_task_that_outlives_its_loop_is_pending_and_harmless(new_loop):
    async def main(op):
        return await suspended_tasks([op.wait()])

    op = t.Op("unseen", on_cancel="ignored")
    loop = new_loop()
    (task,) = loop.run_until_complete(main(op))
    loop.close()
    op.resolve()
    assert not task.done()
    task._log_destroy_pending = False
    with pytest.raises(RuntimeError):
        task.cancel()  # asyncio's own answer: it wants to call the closed loop
        task.get_loop().call_soon(lambda: None)
    del task
    gc.collect()
    assert op.freed == 1


def test_reactor_operation_ends_quietly_with_its_loop(new_loop, hubs):
    async def main():
        (task,) = await suspended_tasks([t.sleep(1000)])
        task._log_destroy_pending = False

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()
    gc.collect()
    assert hubs() == []


def test_wake_after_the_loop_is_closed_is_ignored(new_loop):
    async def main(gate):
        (task,) = await suspended_tasks([gate.wait()])
        task._log_destroy_pending = False

    gate, loop = t.Gate(), new_loop()
    loop.run_until_complete(main(gate))
    loop.close()
    gate.open(3)
    gc.collect()
    gate.wake(3)
    gate.drop()


# --- the direct wake ---


def test_wake_keeps_context_variables_and_current_task(run):
    async def body(n, op):
        variable.set(n)
        seen = []
        for _ in range(3):
            value = await op[len(seen)].wait()
            seen.append((value, variable.get(), asyncio.current_task().get_name()))
        return seen

    async def main():
        ops = [[t.Op(n) for _ in range(3)] for n in range(20)]
        tasks = [asyncio.ensure_future(body(n, op)) for n, op in enumerate(ops)]
        for n, task in enumerate(tasks):
            task.set_name(f"task {n}")
        for turn in range(3):
            while not all(op[turn].started for op in ops):
                await asyncio.sleep(0)
            t.resolve_many([op[turn] for op in ops])
        assert await asyncio.gather(*tasks) == [[(n, n, f"task {n}")] * 3 for n in range(20)]
        assert variable.get() == "unset"

    run(main)


def test_hub_does_not_keep_the_context_it_was_made_in(new_loop):
    class Value:
        pass

    async def body(value):
        variable.set(value)
        await t.yield_times(1)

    loop, value = new_loop(), Value()
    loop.run_until_complete(body(value))
    alive = weakref.ref(value)
    del value
    gc.collect()
    assert alive() is None


def test_wake_happens_inside_the_running_loop_of_the_task(run):
    async def main():
        loop = asyncio.get_running_loop()
        op = t.Op()
        op.resolve_later(500)
        await op.wait()
        assert asyncio.get_running_loop() is loop and asyncio.current_task(loop) is not None

    run(main)


def test_future_that_wakes_itself_does_not_starve_other_callbacks(run):
    async def main():
        task = asyncio.ensure_future(t.yield_times(10**9))
        await settle(100)
        called = asyncio.Event()
        asyncio.get_running_loop().call_later(0.001, called.set)
        await called.wait()
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run(main)


def test_task_that_only_the_loop_knows_is_not_collected_in_flight(run):
    async def body(op, done):
        done.append(await op.wait())

    async def main():
        ops, done = [t.Op(n) for n in range(10)], []
        for op in ops:
            asyncio.ensure_future(body(op, done))
        await settle()
        gc.collect()
        t.resolve_many(ops)
        while len(done) < 10:
            await asyncio.sleep(0.001)
        assert sorted(done) == list(range(10))

    run(main)


# --- steps that leave the loop ---


@pytest.mark.parametrize("leave", [KeyboardInterrupt, SystemExit])
def test_exception_that_leaves_the_loop_loses_nothing_of_the_batch(new_loop, leave):
    async def raiser(op):
        await op.wait()
        raise leave("out")

    async def begin(ops):
        return await suspended_tasks([ops[0].wait(), raiser(ops[1]), ops[2].wait(), ops[3].wait()])

    async def end(tasks):
        return [await tasks[n] for n in (0, 2, 3)]

    loop, ops = new_loop(), [t.Op(n) for n in range(4)]
    tasks = loop.run_until_complete(begin(ops))
    resolve_all(ops)
    with pytest.raises(leave):
        loop.run_forever()
    assert loop.run_until_complete(end(tasks)) == [0, 2, 3]
    assert isinstance(tasks[1].exception(), leave)


def test_step_that_stops_the_loop_loses_nothing_of_the_batch(new_loop):
    async def stopper(op):
        await op.wait()
        asyncio.get_running_loop().stop()

    async def begin(ops):
        return await suspended_tasks([stopper(ops[0]), ops[1].wait(), ops[2].wait()])

    async def end(tasks):
        return await asyncio.gather(*tasks)

    loop, ops = new_loop(), [t.Op(n) for n in range(3)]
    tasks = loop.run_until_complete(begin(ops))
    resolve_all(ops)
    loop.run_forever()
    assert tasks[0].done()
    assert loop.run_until_complete(end(tasks)) == [None, 1, 2]


def test_run_forever_is_stopped_by_a_native_completion(new_loop):
    async def stopper(op):
        await op.wait()
        asyncio.get_running_loop().stop()

    loop, op = new_loop(), t.Op()
    task = loop.create_task(stopper(op))
    op.resolve_later(2000)
    loop.run_forever()
    assert task.done() and op.resolved == 1


def test_exception_in_a_task_stays_in_the_task(run):
    async def raiser(op):
        await op.wait()
        raise ZeroDivisionError

    async def main():
        ops = [t.Op(n) for n in range(3)]
        tasks = await suspended_tasks([raiser(ops[0]), ops[1].wait(), ops[2].wait()])
        resolve_all(ops)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert type(results[0]) is ZeroDivisionError and results[1:] == [1, 2]

    run(main)


# --- loops inside loops ---


class NestingLoop(asyncio.SelectorEventLoop):
    """A loop that may be run inside itself, as the nest_asyncio package patches it."""

    def __init__(self):
        super().__init__()
        self.set_debug(False)

    def run_nested(self, future):
        while not future.done():
            self._run_once()
        return future.result()

    def _run_once(self):
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
        self._process_events(self._selector.select(self._timeout()))
        while self._scheduled and self._scheduled[0]._when < self.time() + self._clock_resolution:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            self._ready.append(handle)
        for _ in range(len(self._ready)):
            if self._ready:
                self._run_handle(self._ready.popleft())

    def _timeout(self):
        if self._ready or self._stopping:
            return 0
        return min(max(self._scheduled[0]._when - self.time(), 0), 5) if self._scheduled else 5

    def _run_handle(self, handle):
        outer = _current_tasks.pop(self, None)
        try:
            if not handle._cancelled:
                handle._run()
        finally:
            if outer is not None:
                _current_tasks[self] = outer


@pytest.mark.parametrize("native", [False, True], ids=["before", "during"])
def test_loop_run_inside_a_resumed_task_makes_progress(native):
    async def body(op, inner_op):
        await op.wait()
        loop = asyncio.get_running_loop()
        inner = asyncio.ensure_future(inner_op.wait())
        if native:
            inner_op.resolve_later(2000)
        else:
            loop.call_later(0.002, inner_op.resolve)
        return loop.run_nested(inner)

    async def main():
        op, inner_op = t.Op(), t.Op("inner")
        task = asyncio.ensure_future(body(op, inner_op))
        op.resolve_later(500)
        return await task

    loop = NestingLoop()
    assert loop.run_until_complete(main()) == "inner"
    loop.close()


def test_loop_run_inside_a_step_delivers_the_rest_of_the_batch():
    async def body(ops, tasks, n, order):
        await ops[n].wait()
        if n == 0:
            asyncio.get_running_loop().run_nested(tasks[2])
        order.append(n)

    async def main():
        ops, tasks, order = [t.Op() for _ in range(4)], [], []
        tasks += [asyncio.ensure_future(body(ops, tasks, n, order)) for n in range(4)]
        await settle()
        resolve_all(ops)
        await asyncio.gather(*tasks)
        assert sorted(order) == [0, 1, 2, 3] and order.index(2) < order.index(0)

    loop = NestingLoop()
    loop.run_until_complete(main())
    loop.close()


def test_loops_nested_several_deep_make_progress():
    async def body(ops, depth):
        await ops[depth].wait()
        if depth == 0:
            return 0
        inner = asyncio.ensure_future(body(ops, depth - 1))
        ops[depth - 1].resolve_later(300)
        return 1 + asyncio.get_running_loop().run_nested(inner)

    async def main():
        ops = [t.Op() for _ in range(8)]
        ops[7].resolve_later(300)
        return await asyncio.ensure_future(body(ops, 7))

    loop = NestingLoop()
    assert loop.run_until_complete(main()) == 7
    loop.close()


def test_another_loop_run_inside_a_resumed_task_works():
    async def inner():
        op = t.Op("inner")
        op.resolve_later(500)
        return await op.wait()

    def run_other():
        """As code does that starts a loop of its own in the middle of another one."""
        outer, other = asyncio.get_running_loop(), asyncio.SelectorEventLoop()
        other.set_debug(False)
        asyncio._set_running_loop(None)
        try:
            return other.run_until_complete(inner())
        finally:
            asyncio._set_running_loop(outer)
            other.close()

    async def main():
        op, after = t.Op(), t.Op("after")
        op.resolve_later(500)
        await op.wait()
        assert run_other() == "inner"
        after.resolve_later(500)
        return await after.wait()

    loop = asyncio.SelectorEventLoop()
    loop.set_debug(False)
    assert loop.run_until_complete(main()) == "after"
    loop.close()


# --- loops without add_reader ---


def test_helper_calls_the_loop_once_per_batch():
    async def main():
        loop = asyncio.get_running_loop()
        ops = [t.Op(n) for n in range(1000)]
        tasks = await suspended_tasks(op.wait() for op in ops)
        loop.threadsafe = 0
        resolve_all(ops)
        assert await asyncio.gather(*tasks) == list(range(1000))
        return loop.threadsafe

    loop = CountingLoopWithoutReader()
    assert loop.run_until_complete(main()) == 1
    loop.close()


def test_helper_ends_with_its_loop():
    before = settled_thread_count()
    loop = CountingLoopWithoutReader()
    loop.run_until_complete(t.yield_times(1))
    assert _thread._count() == before + 1
    loop.close()
    wait_until(lambda: _thread._count() == before)


def test_helper_survives_its_loop_standing_still():
    """What is completed while the loop does not run is delivered when it runs again."""

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


@pytest.mark.parametrize("turn", range(3))
def test_helpers_of_many_short_loops_all_end(turn):
    before = settled_thread_count()
    for _ in range(30):
        loop = CountingLoopWithoutReader()
        loop.run_until_complete(t.sleep(0))
        loop.close()
    wait_until(lambda: _thread._count() == before)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_task_started_inside_a_resumed_task_suspends_on_the_same_loop():
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        first, second = t.Op(), t.Op("eager")
        first.resolve_later(500)
        await first.wait()
        task = loop.create_task(second.wait())
        assert second.started == 1 and not task.done()
        second.resolve_later(500)
        return await task

    assert asyncio.run(main()) == "eager"
