"""The end of a loop, closed or dropped: its hub goes with it, and what was in flight ends quietly."""

import asyncio
import gc
import weakref

import pytest

import _cawait_test as t
from support.common import resolve_all, suspended_tasks, wait_until
from support.frameworks import NoReaderLoop


def hubs_left(hubs, loop_kind):
    """The hubs that are alive, after waiting for those that the watching thread is just using."""
    if loop_kind == "asyncio+no-reader":
        wait_until(lambda: hubs() == [])
    return hubs()


# --- its hub ---


def test_closed_loop_takes_its_hub_with_it(new_loop, loop_kind, hubs):
    async def main():
        await t.sleep(0)
        return len(hubs())

    loop = new_loop()
    assert loop.run_until_complete(main()) == 1
    loop.close()
    assert hubs_left(hubs, loop_kind) == []


@pytest.mark.parametrize("kind", [asyncio.SelectorEventLoop, NoReaderLoop])  # uvloop keeps a loop that is not closed
def test_loop_that_is_dropped_without_close_takes_its_hub_with_it(kind, hubs):
    async def main():
        await t.yield_times(1)

    loop = kind()
    loop.set_debug(False)
    loop.run_until_complete(main())
    assert len(hubs()) == 1
    gone = weakref.ref(loop)
    del loop
    with pytest.warns(ResourceWarning, match="unclosed event loop") as warned:
        wait_until(lambda: gc.collect() is not None and bool(warned))  # the watching thread may just be using it
    warned.clear()  # a recorded warning keeps its source; since 3.15 weak references are cleared after finalizers
    wait_until(lambda: gc.collect() is not None and gone() is None)
    wait_until(lambda: hubs() == [])


# --- what was in flight ---


def test_loop_closed_with_operations_in_flight_leaves_nothing_and_says_nothing(new_loop, loop_kind, capfd, hubs):
    async def main(ops):
        tasks = await suspended_tasks(op.wait() for op in ops)
        for task in tasks:
            task._log_destroy_pending = False

    ops = [t.Op(on_cancel=kind) for kind in ("none", "ignored") for _ in range(50)]
    loop = new_loop()
    loop.run_until_complete(main(ops))
    resolve_all(ops[::2])
    loop.close()
    assert hubs_left(hubs, loop_kind) == []
    gc.collect()
    resolve_all(ops)
    assert [op.freed for op in ops] == [1] * len(ops)
    assert capfd.readouterr() == ("", "")


def test_reactor_operation_ends_quietly_with_its_loop(new_loop, loop_kind, hubs):
    async def main():
        (task,) = await suspended_tasks([t.sleep(1000)])
        task._log_destroy_pending = False

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()
    assert hubs_left(hubs, loop_kind) == []


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
    assert task.cancel() and not task.done()  # nothing is left to deliver it
    assert op.cancelled == 0
    del task
    gc.collect()
    assert op.freed == 1


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
