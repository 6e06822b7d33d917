"""Helpers of all tests: features by Python version, and how to bring a task to a point and find out how it ended.

All of this works on every kind of framework: a task is an asyncio.Task, or its counterpart in frameworks.py.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from support.frameworks import current

since_311 = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio has Runner, TaskGroup, timeout and uncancel from 3.11 on"
)
since_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio has eager tasks from 3.12 on")

# The messages for a second awaiter: after the first one, and at the same time.
REUSED = "cannot reuse already awaited coroutine"
AWAITED = "coroutine is being awaited already"


class Value:
    """A result that tests can see being dropped; it may be part of a reference cycle."""


# --- the framework that runs here ---


def by_level() -> bool:
    """Whether a cancellation lasts: trio and anyio raise it at each await until its scope is left, asyncio once."""
    return current().by_level


def on_trio() -> bool:
    """Whether trio steps the tasks, also below anyio."""
    return current().on_trio


def cancellation() -> type[BaseException]:
    """The exception of a cancelled task."""
    return current().Cancelled


def spawn(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Start a task of the coroutine."""
    return current().spawn(coroutine)


def spawn_all(coroutines: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Start a task of each."""
    return [spawn(coroutine) for coroutine in coroutines]


def plain_task(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """A task of the running kind that starts at the next turn of the loop, also where tasks are eager."""
    return current().spawn_late(coroutine)


async def turn() -> None:
    """Let the loop turn once."""
    await current().turn()


class Steps:
    """A coroutine function that records how far it came, and returns this object."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, seconds: float = 0) -> Steps:
        self.seen.append("begun")
        try:
            await (sleep(seconds) if seconds else turn())
        except BaseException as error:
            self.seen.append(type(error).__name__)
            raise
        self.seen.append("ended")
        return self


async def sleep(seconds: float) -> None:
    """Sleep by the framework's own clock."""
    await current().sleep(seconds)


def current_task() -> Any:
    """The framework's own task that runs here."""
    return current().current_task()


def shield() -> AbstractContextManager[Any]:
    """A block in which a cancellation that lasts has no effect."""
    return current().shield()


def caller() -> Callable[..., Any]:
    """A function that makes the loop call another one; any thread may call it."""
    return current().caller()


# --- towards a point ---


async def settle(turns: int = 10) -> None:
    """Let everything run that can."""
    for _ in range(turns):
        await turn()


async def started(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Start a task of the coroutine and let it suspend."""
    task = spawn(coroutine)
    await settle()
    assert not task.done()
    return task


def expire(scope: Any) -> None:
    """Let the time of a scope of anyio or trio be over once this task waits, however slow the machine is."""

    async def end() -> None:
        await settle()
        scope.deadline = -math.inf

    spawn(end())


async def suspended_tasks(coroutines: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Start a task of each and let all suspend."""
    tasks = spawn_all(coroutines)
    await settle()
    return tasks


async def suspended(coroutine: Any) -> Any:
    """Drive a coroutine by hand until it is suspended."""
    assert coroutine.send(None) is not None
    assert coroutine.cr_suspended
    return coroutine


def resolve_all(ops: Iterable[Any]) -> None:
    """Complete operations, in order."""
    for op in ops:
        op.resolve()


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop turn until the condition holds."""
    while not condition():
        await turn()


async def resolve_once(op: Any, condition: Callable[[], Any]) -> None:
    """Complete an operation once the condition holds, after all tasks that do not wait for it have gone on."""
    await until(condition)
    await settle()
    op.resolve()


def wait_until(condition: Callable[[], Any]) -> None:
    """Wait for what other threads have still to do."""
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
    """Await it, and record the exception that is raised here."""
    try:
        return await awaitable
    except BaseException as error:
        seen.append(error)
        raise


# --- loops inside each other ---


@contextmanager
def no_current_task(loop: Any) -> Iterator[None]:
    """A block without a current task: the current task of an outer loop would disturb an inner loop."""
    tasks: Any = asyncio.tasks
    if sys.version_info >= (3, 14):  # one for each thread, not for each loop
        outer = loop and tasks._swap_current_task(loop, None)
    else:
        outer = tasks._current_tasks.pop(loop, None)
    try:
        yield
    finally:
        if outer is not None and sys.version_info >= (3, 14):
            tasks._swap_current_task(loop, outer)
        elif outer is not None:
            tasks._current_tasks[loop] = outer


# --- how tasks ended ---


async def all_ended(tasks: Iterable[Any]) -> None:
    """Wait for the end of each, however it ends."""
    for task in tasks:
        await current().ended(task)


async def ended(task: Any) -> Any:
    """How a task ended: its result, or its exception, which is not raised."""
    await all_ended([task])
    return "cancelled" if task.cancelled() else task.exception() or task.result()


async def results(tasks: Iterable[Any]) -> list[Any]:
    """The results of tasks, in their order."""
    return [await task for task in tasks]


async def cancelled(*tasks: Any) -> None:
    """Cancel tasks, and check that all of them end by it."""
    for task in tasks:
        task.cancel()
    await all_ended(tasks)
    assert all(task.cancelled() for task in tasks)
