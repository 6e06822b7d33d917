"""Memory: it stays flat over many awaits, and it may run out. The first argument names the function."""

import asyncio
import ctypes
import fcntl
import gc
import os
import sys
from pathlib import Path

from asan import ASAN
from loops import call, new_loop

import _cawait_test as t

sys.path.append(str(Path(__file__).parents[2]))
from support.common import all_ended, results, settle, spawn_all, turn  # noqa: E402
from support.frameworks import run_structured  # noqa: E402

sys.modules.pop("anyio", None)  # asyncio is meant by itself: the library looks for it

try:
    import _testcapi
except ImportError:
    _testcapi = None

PAGE = os.sysconf("SC_PAGE_SIZE")


class Mallinfo(ctypes.Structure):
    """struct mallinfo2 of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


libc = ctypes.CDLL(None)
GLIBC = hasattr(libc, "mallinfo2")  # 2.33 or newer


def given_out():
    """The bytes that malloc has given out; 0 where that cannot be found out."""
    if not GLIBC:
        return 0
    libc.mallinfo2.restype = Mallinfo
    info = libc.mallinfo2()
    return info.uordblks + info.hblkhd


def rss():
    """The bytes in memory, without the free memory that malloc keeps."""
    if GLIBC:
        libc.malloc_trim(0)
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * PAGE


async def suspend_and_resume(n):
    """n operations, a thousand at a time, resolved by a native thread."""
    for _ in range(n // 1000):
        ops = [t.Op(VALUE) for _ in range(1000)]
        tasks = spawn_all(op.wait() for op in ops)
        await turn()
        t.resolve_many(ops)
        assert await results(tasks) == [VALUE] * 1000


async def cancel(n):
    for _ in range(n // 1000):
        ops = [t.Op(VALUE, on_cancel="resolves") for _ in range(1000)]
        tasks = spawn_all(op.wait() for op in ops)
        await turn()
        for task in tasks:
            task.cancel()
        await all_ended(tasks)


async def fail(n):
    for k in range(n // 2):
        for awaitable in (t.fail(-2), t.result_raises(VALUE)):
            try:
                await awaitable
            except (OSError, ZeroDivisionError):
                pass


async def at_once(n):
    for _ in range(n):
        assert await t.ready(VALUE) is VALUE


async def by_itself(n):
    for _ in range(n // 10):
        await t.yield_times(9)


async def returns():
    return VALUE


async def suspends():
    await turn()
    return VALUE


async def raises():
    await turn()
    raise LookupError


async def python_in_place(n):
    for _ in range(n // 3):
        assert await t.await_(returns()) is VALUE
        assert await t.await_(t.await_(suspends())) is VALUE
        try:
            await t.await_(raises())
        except LookupError:
            pass


async def python_posted(n):
    for _ in range(n // 3):
        assert await t.posted(suspends()) is VALUE
        t.posted(t.ready(VALUE)).close()
        try:
            await t.posted(raises())
        except LookupError:
            pass


class Numbers:
    """An async iterable that is no generator; `n` numbers, then an error."""

    def __init__(self, n):
        self.left = n

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.left -= 1
        if self.left < 0:
            raise LookupError
        return 1


async def stream_items(n):
    async for _ in t.numbers(n // 3):
        pass
    async for _ in t.number_lists(n // 3):
        pass
    for _ in range(n // 300):
        channel = t.Channel(10)
        for k in range(10):
            assert channel.try_send(k) == 0
        async for _ in channel.generator():
            break


async def python_streamed(n):
    """An iterable to its end, to an error, and stopped early; in place, and as a task."""
    for _ in range(n // 60):
        for where in ("place", "task"):
            for stop in ("cancel", "destroy"):
                assert await t.total(Numbers(10), limit=3, stop=stop, where=where, capacity=2) == (3, 3)
            try:
                await t.total(Numbers(3), where=where, capacity=2)
            except LookupError:
                pass
        assert await t.total(t.relay(t.relay(t.numbers(4)))) == (3, 6)
    await settle()


async def python_called(n):
    """Cancelled calls end a little later: wait for them, and for what their tasks leave to the next turns."""
    inside = set()

    async def counted():
        inside.add(me := object())
        try:
            return await suspends()
        finally:
            inside.remove(me)

    assert await t.call_from_thread(lambda: 1, n) == (n, 0)
    await t.cancel_around_the_end(counted, n // 30)
    await settle()
    while inside:
        await turn()
    await settle()


VALUE = object()
WORK = [(at_once, 100_000), (suspend_and_resume, 100_000), (by_itself, 50_000), (cancel, 30_000), (fail, 20_000)]
WORK += [(python_in_place, 45_000), (python_posted, 9_000), (python_called, 9_000)]
WORK += [(stream_items, 60_000), (python_streamed, 18_000)]
COUNTED = [VALUE, t.Op, t.ready, t.Op.wait, t.yield_times, type(t.ready(1).close() or t.ready), t]


async def all_work(part):
    for function, n in WORK:
        await function(n // part)


def counts():
    gc.collect()
    return [sys.getrefcount(one) for one in COUNTED]


def flat(kind):
    """Two equal rounds: the second one needs no more references, Python blocks, native memory or pages."""

    async def main():
        await all_work(3)
        before, blocks, native, pages = counts(), sys.getallocatedblocks(), given_out(), rss()
        await all_work(3)
        after, more_blocks, more_native = counts(), sys.getallocatedblocks() - blocks, given_out() - native
        more_pages = rss() - pages
        assert after == before, (before, after)
        # A leak would leave one for each await of a kind, 6 600 or more. CPython's own caches still fill: with asyncio
        # alone they take some hundreds.
        assert more_blocks < 5000, more_blocks
        assert more_native < 1 << 18 or ASAN, more_native
        assert more_pages < 4 << 20 or ASAN, more_pages

    if kind == "trio":
        run_structured(kind, [], main)
    else:
        loop = new_loop(kind)
        loop.set_debug(False)
        loop.run_until_complete(main())
        loop.close()
    gc.collect()
    assert t.live_futures() == 0


def without_memory(n, function):
    """Call it while the n-th allocation fails. True if that happened. If the interpreter cannot make a frame for a
    Python function (of asyncio), the message is another one."""
    sys.setswitchinterval(60)  # the failure is meant for this thread
    _testcapi.set_nomemory(n, n + 1)
    try:
        function()
    except MemoryError:
        return True
    except (AttributeError, RuntimeError, SystemError) as error:
        own = "can't start new thread", "<function ", "error return without exception set", "null argument to internal"
        own += ("'gives': a Python exception",)  # which could not be kept until after the yield
        own += ("object Numbers does not have __anext__ method",)  # 3.10, when the look-up fails
        if not str(error).startswith(own):
            raise
        return True
    finally:
        _testcapi.remove_mem_hooks()
    return False


def create():
    t.yield_times(1).close()


def first_step():
    OP.wait().send(None)


def first_step_of_a_method():
    GATE.wait().send(None)


def result():
    try:
        t.ready((1, 2)).send(None)
    except StopIteration:
        pass


def own_name():
    coroutine = t.ready(1)
    coroutine.__name__ = "name"
    coroutine.close()


async def nothing():
    return 1


def await_python():
    coroutine = nothing()
    try:
        t.await_(coroutine).send(None)
    except StopIteration:
        pass
    finally:
        coroutine.close()


def post_and_drop():
    coroutine = t.posted(asyncio.get_running_loop().create_future())
    coroutine.send(None)
    coroutine.close()


def hold():
    t.Holder(VALUE).await_there(asyncio.get_running_loop().create_future()).close()


def next_step(generator):
    """The next item, or the first wait for it. What is dropped then is also dropped while memory is short."""
    try:
        generator.__anext__().send(None)
    except StopIteration:
        pass


def next_item():
    next_step(t.numbers(3))


def next_list():
    next_step(t.number_lists(3))


def next_item_of_a_channel():
    channel = t.Channel(3)
    channel.try_send(1)
    next_step(channel.generator())


def next_item_of_python():
    next_step(t.relay(Numbers(3)))


def next_item_of_a_posted_one():
    next_step(t.relay_posted(Numbers(3), 2))


def fail():
    raise KeyError


def one():
    return 1


def begin_a_routine():
    """Frame, arguments, an awaitable in place, a native wait; dropped in the middle: then its cleanup."""
    awaitables = nothing(), nothing()
    try:
        t.routine(awaitables[:1], awaitables[1], catches=KeyError).send(None)
    finally:
        for coroutine in awaitables:
            coroutine.close()


def wrong_arguments_of_a_routine():
    for function, given in ((t.routine, {"awaitables": []}), (t.naps, {"depth": "no"}), (t.makes_nothing, {"no": 1})):
        try:
            function(**given)
        except TypeError:
            continue
        raise AssertionError(function)


def result_of_a_routine():
    try:
        t.routine(()).send(None)
    except StopIteration as stop:
        assert stop.value == []


def nested_routines():
    t.naps(1).send(None)


def failing_parts_of_a_routine():
    try:
        t.finishes(tries=(fail,), final_tries=(fail,), final_makes=(nothing, fail)).send(None)
    except KeyError:
        pass


def next_item_of_a_routine():
    next_step(t.doubled(Numbers(3)))


def next_item_of_a_final_part():
    generator = t.gives(yields=(fail,), final_makes=(nothing,), final_yields=(one,))
    next_step(generator)
    try:
        next_step(generator)
    except KeyError:
        pass


OP, GATE = t.Op(on_cancel="resolves"), t.Gate()
FUNCTIONS = [create, first_step, first_step_of_a_method, result, own_name, await_python, post_and_drop, hold]
FUNCTIONS += [begin_a_routine, wrong_arguments_of_a_routine, result_of_a_routine, nested_routines]
FUNCTIONS += [failing_parts_of_a_routine, next_item_of_a_routine, next_item_of_a_final_part]
FUNCTIONS += [next_item, next_list, next_item_of_a_channel, next_item_of_python, next_item_of_a_posted_one]


def every_allocation_fails(kind):
    """The n-th allocation fails, for each n, around creating a coroutine and its first step."""

    failures = []

    async def main(function):
        failures.extend(n for n in range(60) if without_memory(n, function))
        function()

    for function in FUNCTIONS:
        loop = new_loop(kind)
        loop.run_until_complete(main(function))
        loop.close()
    GATE.drop()
    gc.collect()
    assert failures and t.live_futures() == 0


def watch_a_high_fd(loop):
    """libuv aborts when it has no memory for a larger table of fds: make the table large enough now."""
    ends = os.pipe()
    fd = fcntl.fcntl(ends[0], fcntl.F_DUPFD, 200)
    loop.add_reader(fd, print)
    loop.remove_reader(fd)
    for one in (fd, *ends):
        os.close(one)


def every_allocation_fails_where_the_hub_is_made(kind):
    """The same at the first suspension on a loop."""
    failures = []

    async def main(n):
        if without_memory(n, first_step):
            failures.append(n)
        first_step()
        await t.yield_times(1)

    for n in range(80):
        loop = new_loop(kind)
        if kind == "uvloop":
            watch_a_high_fd(loop)
        loop.run_until_complete(main(n))
        loop.close()
    gc.collect()
    assert failures and t.live_futures() == 0


call(globals())
