"""Ends of processes, forks, and module objects, with trio. The first argument names the function."""

import atexit
import gc
import importlib.util
import os
import sys
import threading
import warnings
import weakref

import trio
import trio.testing
from forking import assert_left_well, in_child
from loops import call

import _cawait_test as t

try:
    import _testcapi
except ImportError:
    _testcapi = None

KEPT = []  # alive when the interpreter is finalized


async def in_flight(nursery, n, threads=8, gap_us=20):
    """n tasks that await operations which native threads are completing right now."""
    ops = [t.Op(k, on_cancel="ignored" if k % 2 else "none") for k in range(n)]
    for op in ops:
        nursery.start_soon(op.wait_detached)
    await trio.testing.wait_all_tasks_blocked()
    for k in range(threads):
        t.resolve_many(ops[k::threads], 0, gap_us)
    return ops


async def resolved(value, module=t):
    """A value that comes from a native thread."""
    op = module.Op(value)
    op.resolve_later(200)
    return await op.wait()


def the_only(error):
    """The exception in a group of one, as it leaves a nursery."""
    while hasattr(error, "exceptions"):
        (error,) = error.exceptions
    return error


# --- ends ---


def returning():
    """trio.run returns while most operations are in flight, and so cancels them."""

    async def main():
        async with trio.open_nursery() as nursery:
            ops = await in_flight(nursery, 2000)
            while not ops[100].resolved:
                await trio.sleep(0)
            nursery.cancel_scope.cancel()

    trio.run(main)


def leaving(leave):
    """The main task leaves in this way, while operations are in flight."""

    async def main():
        async with trio.open_nursery() as nursery:
            KEPT.append(await in_flight(nursery, 500))
            await resolved("value")
            leave()

    return main


def sys_exit():
    try:
        trio.run(leaving(lambda: sys.exit(3)))
    except BaseException as error:
        raise the_only(error) from None


def os_exit():
    trio.run(leaving(lambda: os._exit(4)))


def raising():
    def leave():
        raise LookupError("at top level")

    try:
        trio.run(leaving(leave))
    except BaseException as error:
        raise the_only(error) from None


def daemon_thread():
    """A daemon thread has a run with operations while the interpreter ends."""
    ready = threading.Event()

    async def main():
        while True:
            await resolved("value")
            ready.set()

    threading.Thread(target=trio.run, args=[main], daemon=True).start()
    ready.wait()


def resolved_in_atexit():
    """Operations that were detached from a run that is over are resolved at exit."""

    async def main():
        ops = [t.Op(), t.Op(on_cancel="ignored")]
        async with trio.open_nursery() as nursery:
            for op in ops:
                nursery.start_soon(op.wait_detached)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        atexit.register(lambda: [op.resolve() for op in ops])
        last = t.Op(on_cancel="ignored")
        with trio.move_on_after(0.001):
            await last.wait_detached()
        last.resolve_at_exit()

    trio.run(main)


def suspended_by_hand():
    """A coroutine that no task drives is suspended when the interpreter ends."""

    async def main():
        op = t.Op(on_cancel="ignored")
        KEPT.append(op.wait())
        KEPT[-1].send(None)
        op.resolve_later(20000)

    trio.run(main)


def interrupted():
    """The parent sends SIGINT while the main task waits."""

    async def say():
        await trio.testing.wait_all_tasks_blocked()
        print("waiting", flush=True)

    async def main():
        op = t.Op(on_cancel="resolves")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(say)
            try:
                await op.wait()
            finally:
                print("told", op.cancelled)

    try:
        trio.run(main)
    except BaseException as error:
        print(repr(the_only(error)))


def interrupted_at_once():
    """Whatever the first await is doing then. Between the call and the await, Python warns that it was never
    awaited."""
    warnings.filterwarnings("ignore", "coroutine 'Op.wait' was never awaited", RuntimeWarning)

    async def main():
        print("waiting", flush=True)
        await t.Op(on_cancel="resolves").wait()

    try:
        trio.run(main)
    except KeyboardInterrupt as error:
        print(repr(error))


# --- modules ---


def module_removed():
    """The module leaves sys.modules and is collected; the process imports it again."""
    global t

    for _ in range(3):
        import _cawait_test

        gone = weakref.ref(_cawait_test)
        assert trio.run(resolved, "value", _cawait_test) == "value"
        del sys.modules["_cawait_test"], _cawait_test
        t = None
        resolved.__defaults__ = (None,)
        gc.collect()
        assert gone() is None


def another_module():
    """One more module object of the extension, which has not looked up trio's functions yet."""
    spec = importlib.util.find_spec("_cawait_test")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def two_modules():
    """Two module objects of one extension work side by side in one run."""
    other = another_module()
    assert other.Op is not t.Op

    async def main():
        async def check(n, module):
            assert await resolved(n, module) == n

        async with trio.open_nursery() as nursery:
            for n in range(100):
                nursery.start_soon(check, n, t)
                nursery.start_soon(check, n, other)

    trio.run(main)


def first_operations_in_several_threads():
    """Four runs each await their first operation of a module at the same time, again and again."""
    modules = [another_module() for _ in range(50)]
    start = threading.Barrier(4)

    async def main():
        for module in modules:
            start.wait()
            assert await resolved("value", module) == "value"

    def run():
        try:
            trio.run(main)
        except BaseException as error:
            print(repr(error))
            start.abort()

    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=run) for _ in range(start.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def first_step(module, n):
    """Take the first step of an operation while the n-th allocation fails; return its exception, if any."""
    op = module.Op(on_cancel="resolves")
    coroutine = op.wait()
    _testcapi.set_nomemory(n, n + 1)
    try:
        coroutine.send(None)
    except BaseException as error:
        return type(error), str(error)
    finally:
        _testcapi.remove_mem_hooks()
        coroutine.close()


def every_allocation_fails_while_trio_is_learned():
    """If the n-th allocation fails there is a MemoryError or nothing, and afterwards everything works. Only the first
    hundred: later ones are in CPython's compiler and in trio, where 3.10 and 3.12 crash by themselves."""
    ends = []

    async def main():
        for n in range(100):
            module = another_module()
            ends.append(first_step(module, n))
            assert await resolved("value", module) == "value"

    sys.setswitchinterval(60)  # the failure is meant for this thread
    trio.run(main)
    assert {end for end in ends if end} == {(MemoryError, "")}, ends


SUBINTERPRETER = """
import trio
import trio.testing
import _cawait_test as t

async def main():
    op = t.Op("value")
    op.resolve_later(200)
    assert await op.wait() == "value"
    assert await t.ready("value") == "value"
    with trio.move_on_after(0.001) as scope:
        await t.Op(on_cancel="resolves").wait()
    assert scope.cancelled_caught

trio.run(main)
"""


def subinterpreters_that_share_the_gil():
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters

        make = lambda: interpreters.create("legacy")  # noqa: E731
    else:
        import _xxsubinterpreters as interpreters

        make = lambda: interpreters.create(isolated=False)  # noqa: E731
    assert trio.run(resolved, "value") == "value"
    for _ in range(3):
        one = make()
        if failure := interpreters.run_string(one, SUBINTERPRETER):
            print(failure)
        interpreters.destroy(one)
    assert trio.run(resolved, "value") == "value"


# --- forks ---


def work():
    """Some of everything."""

    async def main():
        assert await resolved("value") == "value"
        await t.sleep(0.001)
        await t.blocking(0.001)
        await t.spawned_sleep(0.001)
        with trio.move_on_after(0.001) as scope:
            await t.Op(on_cancel="resolves").wait()
        assert scope.cancelled_caught

    trio.run(main)


def fork_between_runs():
    assert_left_well(in_child(work))  # before the first use
    work()
    first = in_child(work)
    work()
    assert_left_well(first)
    assert_left_well(in_child(work))
    work()


def fork_in_a_task():
    """The parent's operations complete."""

    async def main():
        async with trio.open_nursery() as nursery:
            ops = await in_flight(nursery, 200)
            await resolved("value")
            pids = [in_child(lambda: None) for _ in range(3)]
            while not all(op.freed for op in ops):
                await trio.sleep(0.001)
        for pid in pids:
            assert_left_well(pid)

    trio.run(main)
    work()


def child_that_goes_on_in_the_run():
    """In the child an await that would suspend fails at once; the parent goes on."""

    async def main():
        assert await resolved("value") == "value"
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                await t.Op(on_cancel="resolves").wait()
            except RuntimeError as error:
                code = 0 if "CAW_EFORKED" in str(error) else 2
            finally:
                os._exit(code)
        assert_left_well(pid)
        assert await resolved("value") == "value"

    trio.run(main)


call(globals())
