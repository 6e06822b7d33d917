"""What debuggers and asyncio's own views show: frames, code objects, states, origins, names, stacks."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import inspect
import io
import re
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import current_task, ended, spawn, started


async def end(task: Any, op: Any) -> None:
    """Let the operation end, and its task."""
    assert op.resolve()
    await task


# --- states ---


def attributes(coroutine: Any) -> tuple[Any, ...]:
    """Running, suspended, has a frame, awaits something."""
    return (
        coroutine.cr_running,
        coroutine.cr_suspended,
        coroutine.cr_frame is not None,
        coroutine.cr_await is not None,
    )


def test_attributes_follow_its_states(run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen = []

        def look() -> bool:
            seen.append((inspect.getcoroutinestate(coroutine), attributes(coroutine)))
            return True

        coroutine = t.call_in_poll(look)
        assert inspect.getcoroutinestate(coroutine) == "CORO_CREATED"
        assert attributes(coroutine) == (False, False, True, False)
        await coroutine
        assert seen == [("CORO_RUNNING", (True, False, True, False))]
        assert inspect.getcoroutinestate(coroutine) == "CORO_CLOSED"
        assert attributes(coroutine) == (False, False, False, False)

    run(main)


def test_suspended_one_says_so(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op()
        coroutine = op.wait()
        task = await started(coroutine)
        assert attributes(coroutine) == (False, True, True, True)
        assert inspect.getcoroutinestate(coroutine) == "CORO_SUSPENDED"
        await end(task, op)
        assert inspect.getcoroutinestate(coroutine) == "CORO_CLOSED"

    run(main)


def test_running_between_suspensions_is_running(run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen = []

        def look() -> bool:
            seen.append(attributes(coroutine)[:2])
            return len(seen) == 3

        coroutine = t.call_in_poll(look)
        await coroutine
        assert seen == [(True, False)] * 3

    run(main)


def test_closed_one_has_no_frame(run: Callable[..., Any]) -> None:
    coroutine = t.ready(1)
    coroutine.close()
    assert attributes(coroutine) == (False, False, False, False)
    assert inspect.getcoroutinelocals(coroutine) == {}


def test_await_chain_can_be_walked_to_the_end(run: Callable[..., Any]) -> None:
    async def outer(coroutine: Any) -> Any:
        return await coroutine

    async def main() -> None:
        op = t.Op()
        inner = op.wait()
        coroutine = outer(inner)
        task = await started(coroutine)
        assert coroutine.cr_await is inner
        assert inner.cr_await is not None
        assert not hasattr(inner.cr_await, "cr_await")
        assert "Op.wait" in repr(inner.cr_await)
        await end(task, op)
        assert inner.cr_await is None

    run(main)


# --- frame and code ---


def test_frame_is_a_real_one_that_names_the_c_function() -> None:
    coroutine = t.Op().wait()
    frame = coroutine.cr_frame
    assert isinstance(frame, types.FrameType)
    assert frame.f_code is coroutine.cr_code
    assert frame.f_code.co_name == "wait"
    assert frame.f_code.co_filename.endswith("op.c")
    assert frame.f_lineno == frame.f_code.co_firstlineno > 1
    assert frame.f_back is None
    assert dict(frame.f_locals) == {}
    assert coroutine.cr_frame is frame
    coroutine.close()
    assert coroutine.cr_frame is None


def test_code_is_that_of_the_function_and_stays() -> None:
    coroutine = t.ready(1)
    assert isinstance(coroutine.cr_code, types.CodeType)
    assert coroutine.cr_code is t.ready.__code__
    assert coroutine.cr_code.co_flags & inspect.CO_COROUTINE
    coroutine.close()
    assert coroutine.cr_code is t.ready.__code__


def test_frames_differ_by_coroutine() -> None:
    first, second = t.ready(1), t.ready(2)
    assert first.cr_frame is not second.cr_frame
    assert first.cr_code is second.cr_code
    first.close()
    second.close()


def test_frame_outlives_its_coroutine() -> None:
    coroutine = t.ready(1)
    frame = coroutine.cr_frame
    coroutine.close()
    del coroutine
    gc.collect()
    assert frame.f_code.co_name == "ready"
    assert traceback.extract_stack(frame)[-1].name == "ready"
    frame.clear()


def test_clearing_the_frame_does_no_harm(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op("value")
        coroutine = op.wait()
        task = await started(coroutine)
        coroutine.cr_frame.clear()
        op.resolve()
        assert await task == "value"

    run(main)


def test_coroutine_without_a_function_name_of_its_own_has_a_frame_too() -> None:
    for coroutine, name in [(t.raw(1), "test.sum"), (t.raw_named(), "one"), (t.raw_without_spec(), "test.sum")]:
        assert coroutine.cr_frame.f_code.co_name == name
        assert coroutine.cr_frame.f_lineno >= 1
        coroutine.close()


# --- origin ---


async def python_coroutine() -> None:
    """For comparison."""


@pytest.mark.parametrize("depth", [1, 2, 5, 1000])
def test_origin_is_that_of_a_coroutine_of_python(depth: int) -> None:
    sys.set_coroutine_origin_tracking_depth(depth)
    try:
        both = [t.ready(1), python_coroutine()]
    finally:
        sys.set_coroutine_origin_tracking_depth(0)
    ours, theirs = [coroutine.cr_origin for coroutine in both]
    for coroutine in both:
        coroutine.close()
    assert ours == theirs
    assert ours[0][2] == "test_origin_is_that_of_a_coroutine_of_python"
    assert len(ours) <= depth


def test_no_origin_without_tracking() -> None:
    coroutine = t.ready(1)
    assert coroutine.cr_origin is None
    coroutine.close()


# --- names and text ---


def test_names_are_those_of_the_function() -> None:
    for coroutine, name, qualname in [
        (t.ready(1), "ready", "ready"),
        (t.Op().wait(), "wait", "Op.wait"),
        (t.renamed(), "renamed", "Somewhere.renamed"),
        (t.raw(1), "test.sum", "test.sum"),
        (t.raw_named(), "one", "Number.one"),
        (t.raw_without_spec(), "test.sum", "test.sum"),
    ]:
        assert (coroutine.__name__, coroutine.__qualname__) == (name, qualname)
        coroutine.close()


def test_repr_names_the_operation_and_its_state(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait()
        assert repr(coroutine).startswith("<coroutine Op.wait (test.op, created) at 0x")
        task = await started(coroutine)
        assert "(test.op, suspended)" in repr(coroutine)
        task.cancel()
        assert "(test.op, being cancelled)" in repr(coroutine)
        op.resolve()
        assert await ended(task) == "cancelled"
        assert "(closed)" in repr(coroutine)

    run(main)


def test_repr_says_that_it_is_running(run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen = []
        coroutine = t.call_in_poll(lambda: seen.append(repr(coroutine)) or True)
        await coroutine
        assert "running" in seen[0] and "call_in_poll" in seen[0]

    run(main)


# --- asyncio's views ---


def test_stack_of_a_task_is_the_c_frame(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op()
        task = await started(op.wait())
        [frame] = task.get_stack()
        assert (frame.f_code.co_name, frame.f_code.co_filename.endswith("op.c")) == ("wait", True)
        assert task.get_stack(limit=1) == [frame]
        await end(task, op)
        assert task.get_stack() == []

    run_asyncio(main)


def test_print_stack_names_the_c_function_and_its_line(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op()
        task = await started(op.wait())
        out = io.StringIO()
        task.print_stack(file=out)
        assert re.search(r'File ".*op\.c", line \d+, in wait', out.getvalue())
        await end(task, op)

    run_asyncio(main)


def test_print_stack_of_a_failed_task_shows_where_it_failed(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(t.fail(-2))
        await asyncio.wait([task])
        out = io.StringIO()
        task.print_stack(file=out)
        assert re.search(r'File ".*futures\.c", line \d+, in fail', out.getvalue())
        assert isinstance(task.exception(), FileNotFoundError)

    run_asyncio(main)


def test_repr_of_a_task_says_where_it_is_and_what_it_waits_for(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op()
        task = await started(op.wait())
        assert re.search(r"coro=<Op\.wait\(\) running at .*op\.c:\d+>", repr(task))
        assert re.search(r"wait_for=<.*Op\.wait.*suspended", repr(task))
        await end(task, op)
        assert re.search(r"coro=<Op\.wait\(\) done, defined at .*op\.c:\d+> result=None", repr(task))

    run_asyncio(main)


def test_task_gives_its_coroutine_and_is_listed(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op()
        coroutine = op.wait()
        task = await started(coroutine)
        assert task.get_coro() is coroutine
        assert task in asyncio.all_tasks()
        await end(task, op)

    run_asyncio(main)


@pytest.mark.skipif(not hasattr(asyncio, "capture_call_graph"), reason="asyncio has capture_call_graph from 3.14 on")
def test_call_graph_shows_the_c_frame(run_asyncio: Callable[..., Any], loop_kind: str) -> None:
    if loop_kind == "asyncio+pure":
        pytest.skip("asyncio.capture_call_graph takes no task of the implementation written in Python")

    async def outer(op: Any) -> None:
        await op.wait()

    async def main() -> None:
        op = t.Op()
        task = await started(outer(op))
        text = asyncio.format_call_graph(task)
        assert "wait" in text and "op.c" in text and "outer" in text
        await end(task, op)

    run_asyncio(main)


def test_call_graph_algorithm_finds_frames_all_along(run_asyncio: Callable[..., Any]) -> None:
    """As asyncio/graph.py of 3.14: it reads cr_frame of whatever has cr_await."""

    async def outer(op: Any) -> None:
        await op.wait()

    async def main() -> None:
        op = t.Op()
        task = await started(outer(op))
        frames = []
        here = task.get_coro()
        while here is not None and hasattr(here, "cr_await"):
            frames.append(here.cr_frame)
            here = here.cr_await
        assert [frame.f_code.co_name for frame in frames] == ["outer", "wait"]
        await end(task, op)

    run_asyncio(main)


def test_current_task_in_a_poll_is_the_awaiting_task(run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen = []

        def look() -> bool:
            seen.append(current_task())
            return len(seen) == 2

        async def child() -> Any:
            await t.call_in_poll(look)
            return current_task()

        mine = await spawn(child())
        assert seen == [mine, mine] and mine is not current_task()

    run(main)


@pytest.mark.skipif(
    sys.version_info < (3, 14) or sys.maxsize < 2**32, reason="asyncio has `ps`, which reads it, from 3.14 on"
)
def test_reader_of_the_memory_finds_no_frame_in_it(run: Callable[..., Any]) -> None:
    """`python -m asyncio ps` reads one byte of whatever a task awaits, where a coroutine of Python's has the state of
    its frame; and where that is the state of an ended one, it reads no more."""

    async def nothing() -> None: ...

    def frame_state(coroutine: Any) -> int:
        return ctypes.c_ubyte.from_address(id(coroutine) + 67).value

    async def main() -> None:
        python = nothing()
        assert frame_state(python) != 0 or sys.version_info >= (3, 15)
        python.close()
        op, seen = t.Op(), []
        coroutines = [op.wait(), t.numbers(1).__anext__()]
        seen += map(frame_state, coroutines)
        task = await started(coroutines[0])
        seen += map(frame_state, coroutines)
        await end(task, op)
        await coroutines[1]
        seen += map(frame_state, coroutines)
        assert seen == [frame_state(python)] * 6

    run(main)
