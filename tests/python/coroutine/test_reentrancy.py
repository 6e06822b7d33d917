"""Python code that runs in the middle of the library's code: signal handlers, finalizers, comparisons, a loop's
methods.

A test cannot choose where a signal arrives inside a call. So a method of the loop does at that place what the handler
would have done.
"""

import asyncio
import gc
import sys
import time

import pytest

import _cawait_test as t


@pytest.fixture
def loop(loop_errors):
    """A loop whose methods a test can replace."""
    loop = asyncio.SelectorEventLoop()
    loop.set_debug(False)
    loop.set_exception_handler(lambda _, context: loop_errors.append(context))
    yield loop
    vars(loop).pop("call_soon", None)
    loop.close()


def interrupt_once(loop, name, when="before"):
    """Replace a method: its next call raises KeyboardInterrupt, before or after its work. Then the method is
    restored."""

    def interrupt(*args, **kwargs):
        del vars(loop)[name]
        if when == "after":
            getattr(loop, name)(*args, **kwargs)
        raise KeyboardInterrupt

    setattr(loop, name, interrupt)


# --- a signal arrives while the library calls the loop ---


def test_cancel_inside_the_call_soon_of_a_cancel_wakes_once(loop):
    """call_soon runs a signal handler that cancels the same task again."""
    gate, called, answers = t.Gate(), [], []
    call_soon = loop.call_soon

    def cancel_again(callback, *args, **kwargs):
        if args == (park,):
            answers.append(park.cancel())
        return call_soon(callback, *args, **kwargs)

    async def main():
        nonlocal park
        coroutine = gate.wait()
        park = coroutine.send(None)
        park.add_done_callback(called.append)
        loop.call_soon = cancel_again
        answers.append(park.cancel("first"))
        del loop.call_soon
        await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError, match="first"):
            park.result()
        coroutine.close()

    park = None
    loop.run_until_complete(main())
    assert called == [park] and answers == [False, True]
    gate.drop()


def test_cancel_inside_the_call_soon_of_a_throw_wakes_once(loop):
    gate, called = t.Gate(), []
    call_soon = loop.call_soon

    def cancel_again(callback, *args, **kwargs):
        if args == (park,):
            park.cancel()
        return call_soon(callback, *args, **kwargs)

    async def main():
        nonlocal park
        coroutine = gate.wait()
        park = coroutine.send(None)
        park.add_done_callback(called.append)
        loop.call_soon = cancel_again
        with pytest.raises(LookupError):
            coroutine.throw(LookupError())
        del loop.call_soon
        await asyncio.sleep(0)

    park = None
    loop.run_until_complete(main())
    assert called == [park]
    gate.drop()


@pytest.mark.parametrize("method, debug", [("get_debug", False), ("call_soon", True)])
def test_interrupt_inside_the_drain_leaves_the_loop_and_loses_no_wake(loop, method, debug):
    """In debug mode a wake goes through call_soon; otherwise the drain calls get_debug first."""
    loop.set_debug(debug)

    async def main():
        ops = [t.Op(n) for n in range(3)]
        tasks = [asyncio.ensure_future(op.wait()) for op in ops]
        await asyncio.sleep(0)
        t.resolve_many(ops)
        interrupt_once(loop, method)
        return await ops_end(tasks)

    async def ops_end(tasks):
        for task in tasks:
            while not task.done():
                await t.sleep(0.0001)
        return [task.result() for task in tasks]

    task = loop.create_task(main())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(task)
    assert method not in vars(loop)
    assert loop.run_until_complete(task) == [0, 1, 2]


@pytest.mark.parametrize("when", ["before", "after"])
def test_interrupt_inside_add_reader_leaves_and_the_loop_is_watched_later(loop, when):
    async def main():
        op = t.Op("value")
        interrupt_once(loop, "add_reader", when)
        coroutine = op.wait()
        try:
            await coroutine
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("not interrupted")
        op.resolve()
        other = t.Op("value")
        other.resolve_later(100)
        return await other.wait()

    assert loop.run_until_complete(main()) == "value"


def test_exception_that_leaves_the_loop_loses_no_timer_that_expired_with_it(loop):
    async def leave():
        await t.sleep(0.001)
        raise SystemExit(7)

    async def main():
        return [asyncio.ensure_future(one) for one in (t.sleep(0.001), leave(), t.sleep(0.001), t.sleep(0.001))]

    tasks = loop.run_until_complete(main())
    loop.call_soon(sleep_over_all_of_them)
    with pytest.raises(SystemExit):
        loop.run_forever()
    loop.run_until_complete(asyncio.wait(tasks))
    assert [task.exception() and task.exception().code for task in tasks] == [None, 7, None, None]


def sleep_over_all_of_them():
    """All timers expire in one turn."""
    time.sleep(0.005)


# --- Python code inside a comparison, a finalizer ---


def test_comparison_that_closes_the_coroutine_is_safe(loop):
    """remove_done_callback compares, and `__eq__` may do anything. By then the close has called the callback."""

    class Callback(list):
        __call__ = list.append

        def __eq__(self, other):
            coroutine.close()
            return True

    async def main():
        nonlocal coroutine
        coroutine = gate.wait()
        park = coroutine.send(None)
        callback = Callback()
        park.add_done_callback(callback)
        assert park.remove_done_callback(Callback()) == 0
        await asyncio.sleep(0)
        assert [one is park for one in callback] == [True]

    coroutine, gate = None, t.Gate()
    loop.run_until_complete(main())
    gate.drop()


def test_comparison_that_raises_removes_nothing(loop):
    class Callback(list):
        __call__ = list.append

        def __eq__(self, other):
            raise LookupError("compared")

    async def main():
        gate, callback = t.Gate(), Callback()
        coroutine = gate.wait()
        park = coroutine.send(None)
        park.add_done_callback(callback)
        with pytest.raises(LookupError, match="compared"):
            park.remove_done_callback(Callback())
        gate.open()
        await asyncio.sleep(0.001)
        assert list(callback) == [park]
        coroutine.close()
        gate.drop()

    loop.run_until_complete(main())


def test_callback_cannot_be_added_to_what_has_ended(loop):
    async def main():
        gate = t.Gate()
        coroutine = gate.wait()
        park = coroutine.send(None)
        coroutine.close()
        with pytest.raises(RuntimeError, match="the operation has ended"):
            park.add_done_callback(print)
        gate.drop()

    loop.run_until_complete(main())


def test_finalizer_of_a_replaced_cancellation_may_close_the_coroutine(loop):
    """Under `shield` each cancellation that is thrown in replaces the one before."""

    class Cancellation(asyncio.CancelledError):
        def __del__(self):
            closed.append(coroutine)
            coroutine.close()

    async def main():
        nonlocal coroutine
        coroutine = op.wait_shielded()
        coroutine.send(None)
        coroutine.throw(Cancellation())
        coroutine.throw(asyncio.CancelledError())
        gc.collect()
        with pytest.raises(RuntimeError, match="already awaited"):
            coroutine.send(None)

    coroutine, closed, op = None, [], t.Op()
    loop.run_until_complete(main())
    assert closed == [coroutine] and op.cancelled == 0
    op.resolve()


def test_finalizer_of_a_returned_value_may_await_by_hand(loop):
    """One StopIteration is used for many awaits, and holds the last value for as long as the coroutine is kept. When
    the next await drops that value, an await in its finalizer must not get the same StopIteration."""

    class Value:
        def __init__(self, name):
            self.name = name

        def __del__(self):
            if self.name == "outer":
                dropped.append([returned("inner"), returned("inner too")])

    def returned(name):
        iterator = t.ready(Value(name)).__await__()
        try:
            next(iterator)
        except StopIteration as stop:
            return stop.value.name

    async def awaited(name):
        kept.append(t.ready(Value(name)))
        return (await kept[-1]).name

    async def main():
        return [await awaited(name) for name in ("first", "outer", "last", "outer", "end")]

    dropped, kept = [], []
    assert loop.run_until_complete(main()) == ["first", "outer", "last", "outer", "end"]
    assert dropped == [["inner", "inner too"]] * 2


def test_tracer_that_awaits_by_hand_gets_its_own_values(loop):
    async def main():
        return [await t.ready(n) for n in range(50)]

    def trace(frame, event, arg):
        try:
            t.ready(seen).__await__().__next__()
        except StopIteration as stop:
            assert stop.value is seen
            seen.append(event)
        return trace

    seen = []
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        values = loop.run_until_complete(main())
    finally:
        sys.settrace(before)
    assert values == list(range(50)) and len(seen) > 50


def test_finalizer_called_by_hand_during_the_poll_does_nothing(loop):
    """The collector never calls it then, but any code may call `__del__`."""

    async def main():
        coroutine = t.call_in_poll(lambda: [coroutine.__del__(), True][1])
        await coroutine
        coroutine.__del__()
        suspended = gate.wait()
        suspended.send(None)
        suspended.__del__()
        with pytest.raises(RuntimeError, match="already awaited"):
            suspended.send(None)

    gate = t.Gate()
    loop.run_until_complete(main())
    gate.drop()
