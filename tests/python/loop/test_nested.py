"""A loop that is run inside a step of itself, or of another loop."""

import asyncio
import heapq

import pytest

import _cawait_test as t
from support.common import no_current_task, resolve_all, settle

# --- the same loop ---


class NestingLoop(asyncio.SelectorEventLoop):
    """A loop that can be run inside itself, as patched by the package nest_asyncio."""

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
        with no_current_task(self):
            if not handle._cancelled:
                handle._run()


class NestingLoopWithoutReader(NestingLoop):
    def add_reader(self, fd, callback, *args):
        raise NotImplementedError


each_loop = pytest.mark.parametrize("new_loop", [NestingLoop, NestingLoopWithoutReader])


@each_loop
@pytest.mark.parametrize("native", [False, True], ids=["resolved by call_later", "resolved by a native thread"])
def test_loop_run_inside_a_resumed_task_makes_progress(native, new_loop):
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

    loop = new_loop()
    assert loop.run_until_complete(main()) == "inner"
    loop.close()


@each_loop
def test_loop_run_inside_a_step_delivers_the_rest_of_the_batch(new_loop):
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

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()


@each_loop
def test_loops_nested_several_deep_make_progress(new_loop):
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

    loop = new_loop()
    assert loop.run_until_complete(main()) == 7
    loop.close()


# --- another one ---


def test_another_loop_run_inside_a_resumed_task_works():
    async def inner():
        op = t.Op("inner")
        op.resolve_later(500)
        return await op.wait()

    def run_other():
        """Like code that starts a loop of its own in the middle of another one."""
        outer, other = asyncio.get_running_loop(), asyncio.SelectorEventLoop()
        other.set_debug(False)
        with no_current_task(outer):
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
