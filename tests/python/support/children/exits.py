"""Ways to end a process that has operations in flight. The first argument names the function, the second the loop."""

import asyncio
import atexit
import functools
import gc
import os
import sys
import threading
import weakref

from loops import call, new_loop, run

import _cawait_test as t

KEPT = []  # alive when the interpreter is finalized


async def settle():
    for _ in range(3):
        await asyncio.sleep(0)


async def in_flight(n, threads=8, gap_us=20):
    """n tasks that await operations which native threads are completing right now."""
    ops = [t.Op(k, on_cancel="ignored" if k % 2 else "none") for k in range(n)]
    tasks = [asyncio.ensure_future(op.wait_detached()) for op in ops]
    await settle()
    for k in range(threads):
        t.resolve_many(ops[k::threads], 0, gap_us)
    for task in tasks:
        task._log_destroy_pending = False
    return ops, tasks


def never_closed(kind, main):
    """Run it on a loop that is never closed. Not in debug mode, in which asyncio warns of such a loop on 3.13."""
    loop = new_loop(kind)
    loop.set_debug(False)
    KEPT.append(loop)
    return loop.run_until_complete(main)


def returning(kind):
    """asyncio.run returns while most operations are in flight, and so cancels them."""

    async def main():
        _, tasks = await in_flight(2000)
        await tasks[100]

    run(kind, main())


def unclosed(kind):
    """The loop is not closed, its tasks are pending."""

    async def main():
        KEPT.append(await in_flight(2000))
        await KEPT[-1][1][100]

    never_closed(kind, main())


def sys_exit(kind):
    async def main():
        await in_flight(500)
        sys.exit(3)

    run(kind, main())


def sys_exit_in_resumed_task(kind):
    async def main():
        op = t.Op()
        op.resolve_later(500)
        await in_flight(500)
        await op.wait()
        sys.exit(3)

    run(kind, main())


def os_exit(kind):
    async def main():
        await in_flight(500)
        os._exit(4)

    run(kind, main())


def top_level_exception(kind):
    async def main():
        KEPT.append(await in_flight(500))

    never_closed(kind, main())
    raise LookupError("at top level")


def daemon_thread(kind):
    """A daemon thread runs a loop with operations while the interpreter ends."""
    ready = threading.Event()

    async def main():
        while True:
            op = t.Op()
            op.resolve_later(100)
            ready.set()
            await op.wait()

    threading.Thread(target=lambda: run(kind, main()), daemon=True).start()
    ready.wait()


def resolved_in_atexit(kind):
    """Operations are resolved by Python code that runs at exit, with the loop open and closed."""

    async def main():
        ops = [t.Op(), t.Op(), t.Op(on_cancel="ignored")]
        tasks = [asyncio.ensure_future(op.wait_detached()) for op in ops]
        await settle()
        for task in tasks:
            task._log_destroy_pending = False
        KEPT.append(tasks)
        atexit.register(lambda: [op.resolve() for op in ops])

    never_closed(kind, main())
    run(kind, main())


def loops_closed_just_before(kind):
    """Many loops are closed right before the exit: what they started may not even have begun."""

    async def main():
        KEPT.append(t.Op())
        asyncio.ensure_future(KEPT[-1].wait_detached())
        await settle()

    for _ in range(20):
        run(kind, main())
    for op in KEPT:
        op.resolve()  # so that nothing leaks


def resolved_after_finalization(kind):
    """Operations are resolved in exit(), when the interpreter is gone."""

    async def main():
        op, gate = t.Op(on_cancel="ignored"), t.Gate()
        KEPT.append([asyncio.ensure_future(op.wait()), asyncio.ensure_future(gate.wait())])
        await settle()
        for task in KEPT[-1]:
            task._log_destroy_pending = False
        op.resolve_at_exit()
        gate.wake_at_exit()

    never_closed(kind, main())


def resolved_around_the_exit(kind):
    """Native threads resolve operations, with delays from before the end of the interpreter to after it."""

    async def main():
        ops = [t.Op(on_cancel="ignored") for _ in range(200)]
        KEPT.extend(asyncio.ensure_future(op.wait_detached()) for op in ops)
        await settle()
        for k, op in enumerate(ops):
            op.resolve_later(k * 250)
        for task in KEPT[1:]:
            task._log_destroy_pending = False

    never_closed(kind, main())


def calls_around_the_exit(kind):
    """Native threads call Python, and drop references, from before the end of the interpreter to after it."""

    async def main():
        for k in range(50):
            KEPT.append(t.Holder(lambda: 5))
            KEPT[-1].call_later(k * 1000)
            KEPT.append(t.Holder(object()))
            KEPT[-1].drop_later(k * 1000)
        await asyncio.sleep(0.01)

    never_closed(kind, main())


def calls_in_flight(kind):
    """asyncio.run returns while native threads wait for their calls."""

    async def main():
        for _ in range(20):
            KEPT.append(t.Holder(lambda: asyncio.sleep(60)))
            KEPT[-1].call_later(0)
        # one that begins after asyncio.run has cancelled all tasks is not cancelled
        while len(asyncio.all_tasks()) < 21:
            await asyncio.sleep(0.001)

    run(kind, main())


def suspended_by_hand(kind):
    """A coroutine that no task drives is suspended when the interpreter ends."""

    async def main():
        op = t.Op(on_cancel="ignored")
        KEPT.append(op.wait())
        KEPT[-1].send(None)
        op.resolve_later(20000)

    never_closed(kind, main())


def awaited(kind):
    """Coroutines of Python, of C, and again of Python await each other when the interpreter ends. Whoever sees
    something else than the end that Python's own see says so."""

    async def awaiting(one):
        try:
            await one
        except GeneratorExit:
            raise
        except BaseException as error:
            os.write(1, repr(error).encode())

    async def items(one):
        yield await one

    async def iterating(one):
        async for _ in t.relay(items(one)):
            pass

    async def main():
        for shape in (
            [],
            [awaiting],
            [t.await_],
            [awaiting, t.await_],
            [t.await_, awaiting, t.await_, awaiting],
            [iterating, awaiting],
            [awaiting, iterating, t.await_, awaiting],
        ):
            for method in ("wait", "wait_python", "wait_detached"):
                one = getattr(t.Op(on_cancel="resolves"), method)()
                for layer in shape:
                    one = layer(one)
                asyncio.ensure_future(one)._log_destroy_pending = False
        await settle()

    gc.disable()  # they are garbage: the end of the interpreter collects it
    loop = new_loop(kind)
    loop.set_debug(False)
    loop.run_until_complete(main())


def interrupted(kind):
    """The parent sends SIGINT."""

    async def main():
        op = t.Op(on_cancel="resolves")
        try:
            asyncio.get_running_loop().call_later(0.01, functools.partial(print, "waiting", flush=True))
            await op.wait()
        finally:
            print("told", op.cancelled)

    try:
        asyncio.run(main()) if kind == "asyncio" else run(kind, main())
    except KeyboardInterrupt:
        print("interrupted")


def module_removed(kind):
    """The module leaves sys.modules and is collected; the process imports it again."""
    global t

    async def main(module):
        op = module.Op("value")
        op.resolve_later(200)
        assert await op.wait() == "value"
        await module.sleep(0)

    for _ in range(3):
        import _cawait_test

        gone = weakref.ref(_cawait_test)
        run(kind, main(_cawait_test))
        del sys.modules["_cawait_test"], _cawait_test
        t = None
        gc.collect()
        assert gone() is None


def module_removed_while_suspended(kind):
    """A suspended operation keeps alive what it needs of the module."""
    global t
    module, t = t, None

    async def main(module):
        op = module.Op("value")
        task = asyncio.ensure_future(op.wait())
        await settle()
        del sys.modules["_cawait_test"], module
        gc.collect()
        op.resolve_later(200)
        assert await task == "value"

    coroutine = main(module)
    del module
    run(kind, coroutine)


def two_modules(kind):
    """Two module objects of one extension work side by side on one loop."""
    import importlib.util

    spec = importlib.util.find_spec("_cawait_test")
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    assert other.Op is not t.Op

    async def main():
        ops = [module.Op(n) for n in range(100) for module in (t, other)]
        tasks = [asyncio.ensure_future(op.wait()) for op in ops]
        await settle()
        for op in ops:
            op.resolve_later(200)
        assert await asyncio.gather(*tasks) == [n for n in range(100) for _ in (t, other)]

    run(kind, main())


SUBINTERPRETER = """
import asyncio
import _cawait_test as t

async def main():
    op = t.Op("value")
    op.resolve_later(200)
    assert await op.wait() == "value"
    await t.sleep(0)
    tasks = [asyncio.ensure_future(t.yield_times(3)) for _ in range(10)]
    await asyncio.gather(*tasks)
    task = asyncio.ensure_future(t.Op(on_cancel="resolves").wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    future = asyncio.get_running_loop().create_future()
    t.await_(future).close()

    async def python():
        t.await_(future).close()
        await asyncio.sleep(0)

    for way in (t.await_, t.posted, t.dropped_when_ready, t.dropped_in_place):
        assert await way(python()) is None

loop = asyncio.SelectorEventLoop()
loop.run_until_complete(main())
loop.close()
"""

WITHOUT_ASYNCIO = """
import _cawait_test as t
for value in range(10):
    try:
        t.ready(value).send(None)
    except StopIteration as stop:
        assert stop.value == value
try:
    t.Op(on_cancel="resolves").wait().send(None)
except RuntimeError:
    pass
"""


def run_in_subinterpreter(code, isolated=True):
    """Run code in a subinterpreter with its own GIL, where that exists; if not isolated, in one that shares the GIL."""
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters

        one = interpreters.create("isolated" if isolated else "legacy")
    else:
        import _xxsubinterpreters as interpreters

        one = interpreters.create(isolated=isolated)
    try:
        failure = interpreters.run_string(one, code)
        if failure is not None:
            print(failure)
    finally:
        interpreters.destroy(one)


def subinterpreters(kind):
    """Subinterpreters run one after the other, then all at once."""
    run(kind, t.sleep(0))
    for code in (SUBINTERPRETER, WITHOUT_ASYNCIO) * 2:
        run_in_subinterpreter(code)
    threads = [threading.Thread(target=run_in_subinterpreter, args=[SUBINTERPRETER]) for _ in range(4)]
    for thread in threads:
        thread.start()
    run(kind, t.sleep(0.001))
    for thread in threads:
        thread.join()


def subinterpreters_without_asyncio(kind):
    run(kind, t.sleep(0))
    threads = [threading.Thread(target=run_in_subinterpreter, args=[WITHOUT_ASYNCIO]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(kind, t.sleep(0))


def subinterpreters_that_share_the_gil(kind):
    run(kind, t.sleep(0))
    for code in (SUBINTERPRETER, WITHOUT_ASYNCIO) * 2:
        run_in_subinterpreter(code, isolated=False)
    run(kind, t.sleep(0))


AWAITS_SHARED = """
import asyncio
import _cawait_test as t

async def main():
    awaitable = asyncio.sleep(0)
    try:
        await t.await_shared(awaitable)
    except RuntimeError as error:
        assert str(error) == "the locals belong to another interpreter", error
    else:
        raise AssertionError("awaited")
    awaitable.close()
    t.unshare()
    assert await t.posted(asyncio.sleep(0, "value")) == "value"
    assert await t.call_from_thread(lambda: 2, 3) == (6, 0)

loop = asyncio.SelectorEventLoop()
loop.run_until_complete(main())
loop.close()
"""


def locals_of_another_interpreter(kind):
    """Another interpreter refuses them; a reference that is released there is dropped by its own loop's thread."""

    class Dropped:
        def __del__(self):
            where.append(threading.get_ident())

    where = []

    async def share():
        t.share(Dropped())

    async def until_dropped():
        while not where:
            await asyncio.sleep(0.001)

    for isolated in (False, True) if sys.version_info >= (3, 13) else (False,):
        loop = new_loop(kind)
        loop.run_until_complete(share())
        thread = threading.Thread(target=run_in_subinterpreter, args=[AWAITS_SHARED, isolated])
        thread.start()
        thread.join()  # before 3.12 asyncio mistakes a loop that runs in another interpreter for one that runs here
        loop.run_until_complete(until_dropped())
        loop.close()
        assert where.pop() == threading.get_ident() and not where


def debug_double_resolve(kind):
    """A second resolve is ignored, or calls abort() with a message in a build with assertions."""

    async def main():
        op = t.Op("first")
        task = asyncio.ensure_future(op.wait())
        await settle()
        op.resolve_twice()
        assert await task == "first"
        print("ignored")

    run(kind, main())


call(globals())
