"""Operations on a loop that another package brings, in a process of its own: for test_foreign_loops.py.

The first argument is what to do, the second the loop's name in LOOPS: a function that runs an async function as the
package's users do, and returns its result. `done` is printed at the end, so that a process that ends early is noticed.
"""

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import time
import warnings

import _cawait_test as t
from loops import NoReaderLoop, call, gathered

variable = contextvars.ContextVar("variable", default="unset")
ECLOSED = -4101


# --- the loops ---


def on_loop(loop, main):
    """As asyncio.run, on this loop; but tasks that are left are cancelled only after an exception."""
    try:
        return loop.run_until_complete(main())
    except BaseException:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(gathered(tasks))
        raise
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def on_qtasyncio(main):
    from PySide6 import QtAsyncio

    return QtAsyncio.run(main(), keep_running=False)


def on_qasync(main):
    from PySide6.QtCore import QCoreApplication  # qasync takes the Qt that is imported

    import qasync

    application = QCoreApplication.instance() or QCoreApplication([])
    return on_loop(qasync.QEventLoop(application), main)


def on_gi_events(main):
    from gi.events import GLibEventLoopPolicy

    loop = GLibEventLoopPolicy().get_event_loop()
    return on_loop(loop, main)


def on_rloop(main):
    import rloop

    return on_loop(rloop.new_event_loop(), main)


def on_zuvloop(main):
    import zuvloop

    return on_loop(zuvloop.new_event_loop(), main)


def on_trio_asyncio(main):
    import trio

    import trio_asyncio

    async def on_trio():
        async with trio_asyncio.open_loop():
            return await trio_asyncio.aio_as_trio(main)()

    return trio.run(on_trio)


def on_patched(main):
    return on_loop(asyncio.new_event_loop(), main)


def on_patched_without_reader(main):
    return on_loop(NoReaderLoop(), main)


def patch_by_gevent():
    import gevent.monkey

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would like to be first
        gevent.monkey.patch_all()


def on_nest_asyncio(main, package="nest_asyncio"):
    loop = asyncio.new_event_loop()
    __import__(package).apply(loop)
    return on_loop(loop, main)


def on_nest_asyncio2(main):
    return on_nest_asyncio(main, "nest_asyncio2")


LOOPS = {
    "asyncio": on_patched,
    "asyncio without add_reader": on_patched_without_reader,
    "PySide6.QtAsyncio": on_qtasyncio,
    "qasync": on_qasync,
    "gi.events": on_gi_events,
    "rloop": on_rloop,
    "zuvloop": on_zuvloop,
    "trio_asyncio": on_trio_asyncio,
    "gevent": on_patched,
    "gevent without add_reader": on_patched_without_reader,
    "nest_asyncio": on_nest_asyncio,
    "nest_asyncio2": on_nest_asyncio2,
}


# --- what is awaited ---


def check_place(loop):
    """The program is told the same as on the loop without this library, at any point."""
    assert asyncio.get_running_loop() is loop
    assert asyncio.current_task() is not None
    if sniffio := sys.modules.get("sniffio"):
        assert sniffio.current_async_library() == "asyncio"


async def one(n, loop):
    """Suspend several times, and check after each that all is in its place."""
    variable.set(n)
    op = t.Op(n)
    op.resolve_later(100 * (n % 7))
    assert await op.wait() == n
    check_place(loop)
    await t.sleep(0.001)
    check_place(loop)
    await t.yield_times(2)
    check_place(loop)
    assert variable.get() == n
    return n


async def operations():
    loop = asyncio.get_running_loop()
    assert await asyncio.gather(*[one(n, loop) for n in range(200)]) == list(range(200))
    assert await t.add(1, 2) == 3
    await t.blocking(1)


async def timers():
    await asyncio.gather(*[t.sleep(0.001 * n) for n in range(20)], asyncio.sleep(0.01), t.spawned_sleep(0.002))


async def channels():
    channel = t.Channel(5)
    channel.feed(4, 50, True)
    channel.release()
    assert len([item async for item in channel.generator()]) == 200


async def in_python(value, loop):
    """What C awaits: a coroutine in Python, which awaits C."""
    check_place(loop)
    await asyncio.sleep(0.001)
    check_place(loop)
    await t.sleep(0.001)
    check_place(loop)
    return value


async def posted():
    loop = asyncio.get_running_loop()
    for n in range(10):
        assert await t.await_(in_python(n, loop)) == n
        assert await t.posted(in_python(n, loop)) == n
        await t.spawned(in_python(n, loop))
        assert await t.call_from_thread(lambda: in_python(n, loop), 3) == (3 * n, 0)


async def cancels():
    op = t.Op(on_cancel="resolves")
    task = asyncio.ensure_future(op.wait())
    await asyncio.sleep(0.01)
    task.cancel()
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError)
    assert op.cancelled == 1
    try:
        await asyncio.wait_for(t.sleep(100), 0.01)
    except asyncio.TimeoutError:
        pass
    else:
        raise AssertionError("no time-out")
    await t.sleep(0.001)


async def many_fds():
    """More than a turn of the reactor handles are ready at once."""
    pipes = [os.pipe() for _ in range(150)]
    tasks = [asyncio.ensure_future(t.readable(end)) for end, _ in pipes]
    await asyncio.sleep(0.01)
    for _, end in pipes:
        os.write(end, b"x")
    await asyncio.gather(*tasks)
    for ends in pipes:
        for end in ends:
            os.close(end)


async def everything():
    for each in (operations, timers, channels, posted, cancels, many_fds):
        print(each.__name__, flush=True)
        await each()
    return 5


def hubs():
    gc.collect()
    return [one for one in gc.get_objects() if type(one).__name__ == "hub" and type(one).__module__ == "cawait"]


def wait_until_gone(found):
    end = time.monotonic() + 20
    while found():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- what is done ---


def start(name):
    if name.startswith("gevent"):
        patch_by_gevent()
    return LOOPS[name]


def works(name):
    run = start(name)
    assert run(everything) == 5


def works_after_asyncio(name):
    """What was found on asyncio's own loop, before the package was imported, does not last."""
    asyncio.run(operations())
    run = start(name)
    assert run(everything) == 5
    assert run(everything) == 5
    wait_until_gone(hubs)  # a thread beside the loop may just be using it


def ends(name):
    """What is in flight at the end of the loop is dropped, and a thread that calls gets an error at once."""
    run = start(name)
    ops = [t.Op(on_cancel=how) for how in ("none", "resolves")]

    async def main():
        tasks = [asyncio.ensure_future(op.wait()) for op in ops]
        for task in tasks:
            task._log_destroy_pending = False
        await t.sleep(0.01)
        return tasks, t.Holder(lambda: asyncio.sleep(60))

    tasks, holder = run(main)
    holder.call_later(0)
    assert holder.join() == ECLOSED
    del tasks
    assert not hubs()
    for op in ops:
        op.resolve()
    gc.collect()
    assert [op.freed for op in ops] == [1, 1]


def new_rloop():
    """One that says that it is not in debug mode, so that tasks are resumed in the drain. rloop's own does not say."""
    import rloop

    class Loop(rloop.RLoop):
        def get_debug(self):
            return False

    return Loop()


def new_loop(name):
    """A loop that can be run again after an exception has left it."""
    if name == "rloop":
        return new_rloop()
    if name == "zuvloop":
        return __import__("zuvloop").new_event_loop()
    loop = NoReaderLoop() if name.endswith("without add_reader") else asyncio.new_event_loop()
    if name.startswith("nest_asyncio"):
        __import__(name).apply(loop)
    return loop


def batch(name):
    """A KeyboardInterrupt that leaves a step, and with it the loop, leaves the others of its batch for the next run."""
    loop, ops, seen = new_loop(name), [t.Op(n) for n in range(5)], []

    async def body(n):
        seen.append(await ops[n].wait())
        if len(seen) == 2:
            raise KeyboardInterrupt

    async def begin():
        tasks = [asyncio.ensure_future(body(n)) for n in range(5)]
        await asyncio.sleep(0.01)
        return tasks

    async def until_ended(tasks):
        await asyncio.wait(tasks)

    tasks = loop.run_until_complete(begin())
    for op in ops:
        op.resolve()
    try:
        loop.run_until_complete(until_ended(tasks))
    except KeyboardInterrupt:  # on rloop it does not leave the loop
        loop.run_until_complete(until_ended(tasks))
    assert sorted(seen) == list(range(5))
    assert [type(task.exception()) for task in tasks].count(KeyboardInterrupt) == 1
    loop.close()


def interrupts(error):
    """The number of KeyboardInterrupts in an exception, which may be a group."""
    return isinstance(error, KeyboardInterrupt) + sum(map(interrupts, getattr(error, "exceptions", ())))


def interrupted(name):
    """Ctrl-C while an operation waits."""
    run = start(name)
    op = t.Op(on_cancel="resolves")

    async def main():
        reading, writing = os.pipe()
        pid = os.getpid()  # to be stopped and continued ends a system call that began just after the signal came
        again = f"while sleep 1; do kill -STOP {pid} && kill -CONT {pid} || exit; done"
        command = ["sh", "-c", f"read line; kill -INT {pid}; {again}"]
        subprocess.Popen(command, stdin=reading, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        asyncio.get_running_loop().call_soon(os.write, writing, b"\n")
        await op.wait()

    try:
        run(main)
    except BaseException as error:
        assert interrupts(error) == 1
        del error
    wait_until_gone(hubs)
    assert op.cancelled == op.freed == 1


DO = {one.__name__: one for one in (works, works_after_asyncio, ends, batch, interrupted)}

if __name__ == "__main__":
    call(DO)
    print("done", flush=True)
