"""What the tests share: what came with which Python, and how to bring a task to a point and see how it ended."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import pytest

since_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio has it from 3.11 on")
since_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio has it from 3.12 on")

# What a coroutine says to a second awaiter: after the first one, and beside it.
REUSED = "cannot reuse already awaited coroutine"
AWAITED = "coroutine is being awaited already"


class Value:
    """A result that can be seen to be dropped, and may refer to what refers to it."""


class NoReaderLoop(asyncio.SelectorEventLoop):
    """A loop that cannot watch a file descriptor, like those of Windows."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        raise NotImplementedError

    def remove_reader(self, fd: Any) -> bool:
        raise NotImplementedError

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:
        raise NotImplementedError

    def remove_writer(self, fd: Any) -> bool:
        raise NotImplementedError


# --- towards a point ---


async def settle(turns: int = 10) -> None:
    """Let everything that can run do so."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def started(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task of it that is suspended."""
    task = asyncio.ensure_future(coroutine)
    await settle()
    assert not task.done()
    return task


async def suspended_tasks(coroutines: Iterable[Coroutine[Any, Any, Any]]) -> list[asyncio.Task[Any]]:
    """A task of each, suspended."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    await settle()
    return tasks


async def suspended(coroutine: Any) -> Any:
    """Drive it by hand until it is suspended."""
    assert coroutine.send(None) is not None
    assert coroutine.cr_suspended
    return coroutine


def plain_task(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task of the running kind that starts at the next turn of the loop, also where tasks are eager."""
    return type(asyncio.current_task())(coroutine, loop=asyncio.get_running_loop())


def resolve_all(ops: Iterable[Any]) -> None:
    """Complete operations, in order."""
    for op in ops:
        op.resolve()


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop turn until it is so."""
    while not condition():
        await asyncio.sleep(0)


async def resolve_once(op: Any, condition: Callable[[], Any]) -> None:
    """Complete an operation once it is so, and only after whoever does not wait for it has gone on."""
    await until(condition)
    await settle()
    op.resolve()


def wait_until(condition: Callable[[], Any]) -> None:
    """For what other threads have still to do."""
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.001)


# --- around an await ---


async def awaiting(coroutine: Awaitable[Any]) -> Any:
    """An awaiter in Python."""
    return await coroutine


async def resolved_soon(op: Any) -> Any:
    """Await an operation that another thread completes."""
    op.resolve_later(100)
    return await op.wait()


async def seeing(awaitable: Awaitable[Any], seen: list[BaseException]) -> Any:
    """Await it, and note the exception as the coroutine itself sees it."""
    try:
        return await awaitable
    except BaseException as error:
        seen.append(error)
        raise


async def ended(task: asyncio.Future[Any]) -> Any:
    """How a task ended, without raising."""
    await asyncio.wait([task])
    return "cancelled" if task.cancelled() else task.exception() or task.result()


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and see them all end by that."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
