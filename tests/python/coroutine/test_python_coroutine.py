"""The option python_coroutine: a coroutine of Python around the native one, for libraries that accept no other."""

from __future__ import annotations

import asyncio
import collections.abc
import gc
import inspect
import os
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import _cawait_test as t
from support.children import command, run_command
from support.common import cancellation, ended, settle, started
from support.scopes import every_backend, run_anyio

ANYIO_413 = Path(sys.prefix, "anyio-4.13")  # installed there by tools/interpreters.py


# --- what it is ---


def test_it_is_a_coroutine_of_pythons_own() -> None:
    coroutine = t.Op().wait_python()
    assert type(coroutine) is types.CoroutineType
    assert inspect.iscoroutine(coroutine) and inspect.isawaitable(coroutine)
    assert isinstance(coroutine, collections.abc.Coroutine)
    assert inspect.getcoroutinestate(coroutine) == "CORO_CREATED"
    coroutine.close()


def test_it_has_the_names_of_the_function_and_says_where_that_is_written() -> None:
    coroutine = t.Op().wait_python()
    assert (coroutine.__name__, coroutine.__qualname__) == ("wait_python", "Op.wait_python")
    assert coroutine.cr_code.co_name == "wait_python"
    assert getattr(coroutine.cr_code, "co_qualname", "Op.wait_python") == "Op.wait_python"
    assert coroutine.cr_code.co_filename.endswith("op.c") and coroutine.cr_code.co_firstlineno > 1
    assert "Op.wait_python" in repr(coroutine)
    coroutine.close()


def test_the_function_is_one_that_makes_coroutines() -> None:
    assert inspect.iscoroutinefunction(t.Op().wait_python)
    assert inspect.iscoroutinefunction(t.Op.wait_python)


def test_each_call_makes_a_coroutine_of_its_own() -> None:
    op = t.Op()
    first, second = op.wait_python(), op.wait_python()
    assert first is not second and first.cr_code is second.cr_code
    first.close()
    second.close()


# --- that it works ---


def test_it_gives_the_value(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op("value")
        task = await started(op.wait_python())
        op.resolve()
        assert await task == "value"
        op = t.Op(("a", "tuple"))
        op.resolve_later(100)
        assert await op.wait_python() == ("a", "tuple")

    run(main)


def test_error_goes_through_and_its_traceback_names_the_native_place(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op()
        op.resolve_later(100, -32)
        with pytest.raises(BrokenPipeError) as caught:
            await op.wait_python()
        frames = [(frame.name, Path(frame.filename).name) for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert ("wait_python", "op.c") in frames

    run(main)


@pytest.mark.parametrize("on_cancel", ["none", "resolves", "ignored"])
def test_cancel_goes_through_and_is_told_once(run: Callable[..., Any], on_cancel: str) -> None:
    async def main() -> None:
        op, seen = t.Op(on_cancel=on_cancel), []

        async def waiter() -> None:
            try:
                await op.wait_python()
            except cancellation():
                seen.append(True)
                raise

        task = await started(waiter())
        task.cancel()
        if on_cancel == "ignored":
            await settle()
            assert not task.done()
            op.resolve()
        assert await ended(task) == "cancelled" and seen == [True]
        op.resolve()
        assert op.cancelled == (on_cancel != "none") and op.freed == 1

    run(main)


def test_close_of_a_suspended_one_gives_the_operation_up(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait_python()
        coroutine.send(None)
        coroutine.close()
        assert op.cancelled == 1
        op.resolve()
        assert op.freed == 1

    run(main)


def test_await_of_a_finished_one_is_pythons_own_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op()
        op.resolve_later(100)
        coroutine = op.wait_python()
        await coroutine
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await coroutine

    run(main)


# --- never awaited ---


def test_one_that_is_never_awaited_warns_once_and_nothing_ran() -> None:
    op = t.Op(on_cancel="ignored")
    with pytest.warns(RuntimeWarning) as caught:
        op.wait_python()
        gc.collect()
    assert [str(one.message) for one in caught] == ["coroutine 'Op.wait_python' was never awaited"]
    del caught  # their frames keep it alive
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)


def test_one_that_is_closed_before_its_first_step_does_not_warn() -> None:
    op = t.Op(on_cancel="ignored")
    op.wait_python().close()
    gc.collect()
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)


def test_one_that_is_collected_with_a_cycle_warns_once() -> None:
    class Value:
        coroutine: Any

    op = t.Op(Value())
    op.value.coroutine = op.wait_python()
    del op
    with pytest.warns(RuntimeWarning) as caught:
        gc.collect()
    assert [str(one.message) for one in caught] == ["coroutine 'Op.wait_python' was never awaited"]


# --- anyio's groups ---


@every_backend
@pytest.mark.parametrize("method", ["wait", "wait_python"])
def test_group_of_this_anyio_takes_either(backend: str, method: str) -> None:
    async def main() -> None:
        ops = [t.Op() for _ in range(3)]
        async with anyio.create_task_group() as group:
            for op in ops:
                group.start_soon(getattr(op, method))
                op.resolve_later(100)
        assert all(op.freed == 1 for op in ops)

    run_anyio(backend, main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_group_of_anyio_413_needs_the_option_on_asyncio(backend: str) -> None:
    if not ANYIO_413.is_dir():
        pytest.skip("anyio 4.13.0 is not beside the test environment: tools/test.py makes one that has it")
    path = os.pathsep.join([str(ANYIO_413), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = run_command(command("groups", "start_both", backend), {**os.environ, "PYTHONPATH": path})
    refused = "wait: TypeError" if backend == "asyncio" else "wait: value"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["4.13.0", "wait_python: value", refused]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="asyncio has call graphs from 3.14 on")
def test_call_graph_of_asyncio_goes_through_it() -> None:
    async def main() -> None:
        op = t.Op()
        task = asyncio.ensure_future(op.wait_python())
        await settle()
        assert "wait_python" in asyncio.format_call_graph(task)
        op.resolve()
        await task

    asyncio.run(main())
