"""The parts of the library from Cython, on every framework: each has something of its own there."""

from __future__ import annotations

import contextlib
import gc
import inspect
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cython_builds import BUILT, Run, cancelled, gather, run

HOUR = 3600 * 10**9
MANY = 10_000


def test_constants_and_texts_are_those_of_c(m: ModuleType) -> None:
    assert m.versions()[3] == ".".join(map(str, m.versions()[:3]))
    assert m.texts(m.CANCELED) == ("operation cancelled", "CAW_ECANCELED")


def test_timers_and_combined_futures(m: ModuleType, go: Run) -> None:
    go(m.sleep, m.MILLISECOND)
    assert go(m.race, HOUR, 1) == 1
    assert go(m.any_of, -5) is None
    with pytest.raises(TimeoutError):
        go(m.timeout, 1)
    with pytest.raises(OSError, match="Input/output"):
        go(m.fails_all, -5)


def test_functions_of_futures_are_called_without_the_gil(m: ModuleType) -> None:
    assert m.then(0) == (11, 0)
    assert m.then(-5) == (10, -5)


def test_ten_thousand_sleeps_at_once(m: ModuleType, framework: str, go: Run) -> None:
    assert go(gather, framework, [lambda: m.sleep(m.MILLISECOND)] * MANY) == [None] * MANY


def test_cancel_of_a_timer_ends_it(m: ModuleType, framework: str, go: Run) -> None:
    assert go(cancelled, framework, lambda: m.sleep(HOUR))


def test_null_future_is_a_memory_error(m: ModuleType, go: Run) -> None:
    with pytest.raises(MemoryError):
        m.no_memory()
    with pytest.raises(MemoryError):
        go(m.raises, "memory")


def test_wait_without_a_loop(m: ModuleType) -> None:
    assert m.wait(1) is None
    assert m.tick_sync() is None


def test_poll_function_in_cython_is_polled_until_it_is_ready(m: ModuleType, go: Run) -> None:
    assert go(m.polls, 100) is None
    with pytest.raises(TypeError):
        m.polls("many")


def test_promise_that_can_be_cancelled_is_cancelled_once_and_freed(m: ModuleType, framework: str, go: Run) -> None:
    before = m.park_counts()
    for _ in range(10):
        assert go(cancelled, framework, m.park)
    assert [now - then for now, then in zip(m.park_counts(), before, strict=True)] == [10, 10, 10]
    m.park().close()
    assert m.park_counts()[2] == before[2] + 11


def test_function_that_returns_coroutines_can_be_marked(m: ModuleType) -> None:
    assert not inspect.iscoroutinefunction(m.sleep)
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(inspect.markcoroutinefunction(m.park))
    assert list(inspect.signature(m.sleep).parameters) == ["ns"]


def test_calls_of_a_serial_run_one_after_another(m: ModuleType, framework: str, go: Run) -> None:
    start = go(m.add, 0)
    before = go(gather, framework, [lambda: m.add(1)] * 1000)
    assert sorted(before) == list(range(start, start + 1000))


@pytest.mark.parametrize("what", ["start", "result", "error"])
def test_exception_of_a_callback_that_may_raise_is_raised(m: ModuleType, go: Run, what: str) -> None:
    with pytest.raises(Exception, match=what) as raised:
        go(m.raises, what)
    assert type(raised.value).__name__ == "Refused"


def test_object_that_a_worker_needs_is_held_until_it_has_ended(m: ModuleType, go: Run) -> None:
    class Value:
        pass

    value = Value()
    gone = weakref.ref(value)
    holder = m.Holder(value)
    del value
    assert go(holder.hold_twice, 1) == (holder, holder)
    assert inspect.iscoroutinefunction(m.Holder.hold_twice)

    async def drop() -> None:
        await m.Holder(held.pop().value).hold(1)

    held = [holder]
    del holder
    go(drop)
    gc.collect()
    assert gone() is None


def test_python_that_c_awaits_gives_its_value_or_exception(m: ModuleType, go: Run) -> None:
    async def fails() -> None:
        raise KeyError("python")

    async def wait(function: Callable[[Any], Any], coroutine: Any) -> Any:
        return await function(coroutine)

    for function in (m.await_in_place, m.await_on_loop):
        for value in ("value", None):
            assert go(wait, function, m.identity(value)) == value
        with pytest.raises(KeyError, match="python"):
            go(wait, function, fails())
    with pytest.raises(TypeError):
        m.await_in_place(1)


def test_awaitable_is_not_consumed_by_a_call(m: ModuleType, go: Run) -> None:
    class Awaitable:
        def __await__(self) -> Any:
            return iter(())

    awaitable = Awaitable()
    references = sys.getrefcount(awaitable)

    async def wait() -> None:
        await m.await_in_place(awaitable)

    for _ in range(10):
        go(wait)
    gc.collect()
    assert sys.getrefcount(awaitable) == references


def test_exception_of_a_future_without_one_is_none(m: ModuleType) -> None:
    class Awaitable:
        def __await__(self) -> Any:
            return iter(())

    assert m.exception_of(Awaitable()) == (m.NOREACTOR, None)


def test_exception_of_an_awaitable_is_the_one_that_it_raised_and_is_not_kept(m: ModuleType, go: Run) -> None:
    class Failed(Exception):
        pass

    async def fails() -> None:
        raise Failed

    async def wait() -> Any:
        with pytest.raises(Exception) as raised:
            await m.await_reporting(fails())
        assert type(raised.value.__cause__) is Failed
        cause = weakref.ref(raised.value.__cause__)
        raised.value.__cause__.__traceback__ = None
        return cause

    cause = go(wait)
    gc.collect()
    assert cause() is None


def test_worker_calls_python_without_the_gil(m: ModuleType, framework: str, go: Run) -> None:
    here = threading.get_ident()
    assert go(m.call, threading.get_ident) == here
    assert go(gather, framework, [lambda: m.call(lambda: 3)] * 200) == [3] * 200
    with pytest.raises(ZeroDivisionError):
        go(m.call, lambda: 1 // 0)
    with pytest.raises(TypeError):
        go(m.call, lambda: "no number")


def test_streams_of_c_and_of_python(m: ModuleType, go: Run) -> None:
    async def count(last: int) -> AsyncIterator[int]:
        for i in range(last):
            yield i

    async def listed(make: Callable[..., Any], *args: Any) -> list[Any]:
        return [item async for item in make(*args)]

    assert go(listed, m.numbers) == list(range(1, 11))
    assert go(listed, m.number_lists) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert go(listed, lambda: m.even(count(10))) == [0, 2, 4, 6, 8]
    assert go(listed, lambda: m.chunks(count(5), 2)) == [[0, 1], [2, 3], [4]]

    async def bad() -> AsyncIterator[Any]:
        yield "no number"

    async def refused() -> None:
        async with contextlib.aclosing(bad()) as values:
            await listed(m.even, values)

    with pytest.raises(TypeError):
        go(refused)
    with pytest.raises(TypeError):
        m.chunks(1, 2)


def test_conventions_of_tables(m: ModuleType, go: Run) -> None:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await m.parsed(*args, **kwargs)

    assert go(call, 1) == (1, 2, 3)

    async def named() -> Any:
        return await call(1, b=5, c=6)

    assert go(named) == (1, 5, 6)
    with pytest.raises(TypeError, match="unexpected keyword"):
        m.parsed(1, d=2)

    async def fast() -> Any:
        return await m.fast(1, "two")

    assert go(fast) == (1, "two")
    plain = m.Plain()
    assert go(plain.method, 3) == (plain, 3)
    assert inspect.iscoroutinefunction(m.Plain.method)


def test_thread_that_holds_the_gil_does_not_sleep(built: dict[str, Path]) -> None:
    script = "import everything, threading, faulthandler; everything.wait(1); print(everything.then(0))"
    assert run([sys.executable, "-X", "dev", "-c", script], cwd=built["modules"]).strip() == "(11, 0)"


def test_everything_passes_in_development_mode(built: dict[str, Path], tmp_path: Path) -> None:
    """Again, in a process with the checks of CPython's memory allocators, and of asyncio."""
    command = [sys.executable, "-X", "dev", "-m", "pytest", "-q", "-p", "no:cacheprovider", Path(__file__).parent]
    environment = {**os.environ, BUILT: str(built["modules"].parent)}
    run([*command, "-k", "(test_examples or test_parts) and not development_mode"], cwd=tmp_path, env=environment)
