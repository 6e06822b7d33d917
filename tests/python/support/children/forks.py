"""Processes that fork. The first argument names the function, the second the loop."""

import asyncio
import multiprocessing
import os
import sys

from forking import assert_left_well, in_child
from loops import call, new_loop, run

import _cawait_test as t


async def work():
    """Some of everything: a promise, a timer, the pool, a spawned future, Python called by and posted from C."""
    op = t.Op("value")
    op.resolve_later(500)
    assert await op.wait() == "value"
    await t.sleep(0.001)
    await t.blocking(0.001)
    await t.spawned_sleep(0.001)
    assert await t.posted(asyncio.sleep(0.001, "value")) == "value"
    assert await t.call_from_thread(lambda: asyncio.sleep(0, 2), 3) == (6, 0)
    task = asyncio.ensure_future(t.Op(on_cancel="resolves").wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


def after_use(kind):
    """Parent and child both go on, in both orders."""
    run(kind, work())
    first = in_child(run_work, kind)
    run(kind, work())
    assert_left_well(first)
    assert_left_well(in_child(run_work, kind))
    run(kind, work())


def before_use(kind):
    assert_left_well(in_child(run_work, kind))
    run(kind, work())


def grandchild(kind):
    def child():
        run(kind, work())
        assert_left_well(in_child(run_work, kind))
        run(kind, work())

    run(kind, work())
    assert_left_well(in_child(child))
    run(kind, work())


async def forking(child, resumed):
    """Fork inside a running task with operations in flight. The parent's operations complete."""
    ops = [t.Op(n, on_cancel="ignored" if n % 2 else "none") for n in range(200)]
    tasks = [asyncio.ensure_future(op.wait()) for op in ops]
    tasks += [asyncio.ensure_future(t.sleep(0.02)), asyncio.ensure_future(t.blocking(0.02))]
    tasks += [asyncio.ensure_future(t.spawned_sleep(0.02)), asyncio.ensure_future(t.posted(asyncio.sleep(0.02)))]
    tasks += [asyncio.ensure_future(t.call_from_thread(lambda: 1, 100))]
    await asyncio.sleep(0)
    if resumed:
        first = t.Op()
        first.resolve_later(500)
        await first.wait()
    t.resolve_many(ops[:100], 0, 50)
    pids = [in_child(child) for _ in range(3)]
    t.resolve_many(ops[100:], 0, 50)
    assert await asyncio.gather(*tasks) == [*range(200), None, None, None, None, (100, 0)]
    for pid in pids:
        assert_left_well(pid)
    await work()


def in_task(kind):
    run(kind, forking(lambda: None, False))


def in_resumed_task(kind):
    run(kind, forking(lambda: None, True))


def in_resumed_task_and_run_in_the_child(kind):
    """The child, still inside the parent's task, runs a loop of its own."""
    run(kind, forking(lambda: run(kind, work()), True))


def child_that_exits_by_itself(kind):
    """The child ends as a script does: atexit, and finalization of what it has from its parent."""
    run(kind, work())
    loop_of_parent = asyncio.SelectorEventLoop() if kind == "uvloop" else None
    pid = os.fork()
    if pid == 0:
        run(kind, work())
        sys.exit(0)
    assert_left_well(pid)
    run(kind, work())
    if loop_of_parent:
        loop_of_parent.close()


def child_that_exits_with_a_suspended_loop(kind):
    """The parent's loop is open, with operations in flight, when the child ends by itself."""
    async def begin():
        tasks = [asyncio.ensure_future(op.wait()) for op in ops]
        await asyncio.sleep(0)
        return tasks

    async def end():
        return await asyncio.gather(*tasks)

    ops = [t.Op(n) for n in range(10)]
    loop = new_loop(kind)
    loop.set_debug(False)
    tasks = loop.run_until_complete(begin())
    pid = os.fork()
    if pid == 0:
        for task in tasks:
            task._log_destroy_pending = False
        if kind != "uvloop":
            loop._closed = True  # else its __del__ takes the parent's self-pipe out of the epoll fd that both share
        sys.exit(0)
    assert_left_well(pid)
    for op in ops:
        op.resolve()
    assert loop.run_until_complete(end()) == list(range(10))
    loop.close()


def child_that_runs_the_loop_of_its_parent(kind):
    """In the child an await that would suspend fails at once; the parent goes on with the loop."""

    async def refused():
        op = t.Op("value", on_cancel="resolves")
        for suspend in (op.wait, lambda: t.sleep(0.001), lambda: t.sleep(0), lambda: t.posted(inherited)):
            try:
                await suspend()
            except RuntimeError as error:
                assert "CAW_EFORKED" in str(error), error
            else:
                raise AssertionError("suspended")
        assert await t.ready("value") == "value"

    loop = new_loop(kind)
    loop.set_debug(False)
    loop.run_until_complete(work())
    inherited = loop.create_future()
    assert_left_well(in_child(lambda: loop.run_until_complete(refused())))
    loop.run_until_complete(work())
    loop.close()


def run_work(kind):
    run(kind, work())
    return os.getpid()


def processes(kind):
    """multiprocessing by fork."""
    run(kind, work())
    context = multiprocessing.get_context("fork")
    process = context.Process(target=run_work, args=[kind])
    process.start()
    process.join()
    assert process.exitcode == 0
    with context.Pool(2) as pool:
        assert os.getpid() not in pool.map(run_work, [kind] * 4)
    run(kind, work())


call(globals())
