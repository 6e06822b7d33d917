"""The frameworks that the tests run on, behind one interface: `current()` gives the running one to a test's helpers.

On the asyncio kinds a test starts Tasks. On the others it starts a Child: a coroutine in a child task, inside a cancel
scope of its own, with those methods of a Task that the tests use. Trio and anyio have nothing like it: only the code
that opened a nursery can wait for its tasks, and an exception of one ends all. So `run_structured` opens a nursery
around the test's function, a Child does not pass on its exception, and children that are left are cancelled at the end.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import sys
import traceback
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any

import anyio
import trio

from support.children.asan import SLOWER
from support.kinds import STRUCTURED_KINDS, uvloop

RUN_SECONDS = 60 * SLOWER  # after this time a run of a test's function counts as hanging


# --- the running framework ---


class Asyncio:
    """asyncio by itself: any of its kinds, also in a loop that a test has made."""

    by_level = False  # a cancellation is raised once, not at each await in the scope
    on_trio = False
    Cancelled: type[BaseException] = asyncio.CancelledError
    sleep = staticmethod(asyncio.sleep)

    @staticmethod
    def spawn(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task of the coroutine. It has begun where tasks are eager."""
        return asyncio.ensure_future(coroutine)

    @staticmethod
    def spawn_late(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task of the running kind that begins at the next turn of the loop, also where tasks are eager."""
        return type(asyncio.current_task())(coroutine, loop=asyncio.get_running_loop())

    @staticmethod
    async def turn() -> None:
        """Let the loop turn once."""
        await asyncio.sleep(0)

    @staticmethod
    async def ended(task: asyncio.Task[Any]) -> None:
        """Wait for the end of a task."""
        await asyncio.wait([task])

    @staticmethod
    def current_task() -> Any:
        """The task that runs here."""
        return asyncio.current_task()

    @staticmethod
    def shield() -> AbstractContextManager[Any]:
        """A block in which a cancellation that lasts has no effect: here none lasts."""
        return nullcontext()

    @staticmethod
    def caller() -> Callable[..., Any]:
        """A function that has another one called by the loop; threads may call it."""
        return asyncio.get_running_loop().call_soon_threadsafe


class Structured:
    """trio, or anyio on one of its backends: by the names that both have, with a nursery for the tasks of the test."""

    by_level = True

    def __init__(self, library: Any, on_trio: bool, nursery: Any) -> None:
        self.library, self.on_trio, self.nursery = library, on_trio, nursery
        self.sleep = library.sleep
        self.Cancelled: type[BaseException] = trio.Cancelled if on_trio else asyncio.CancelledError
        self.children: set[Child] = set()  # those that run
        self.failed: set[Child] = set()  # those with an exception that was not retrieved

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> Child:
        """Start a child task of the coroutine."""
        child = Child(self)
        self.children.add(child)
        self.nursery.start_soon(child.main, coroutine)
        return child

    spawn_late = spawn

    async def turn(self) -> None:
        """Let the scheduler turn once."""
        await (trio.lowlevel.checkpoint() if self.on_trio else asyncio.sleep(0))

    @staticmethod
    async def ended(child: Child) -> None:
        """Wait for the end of a child."""
        await child.over.wait()

    def current_task(self) -> Any:
        """The library's own task that runs here."""
        return trio.lowlevel.current_task() if self.on_trio else asyncio.current_task()

    def shield(self) -> AbstractContextManager[Any]:
        """A block in which a cancellation that lasts has no effect."""
        return self.library.CancelScope(shield=True)

    def caller(self) -> Callable[..., Any]:
        """A function that makes the scheduler call another one; any thread may call it."""
        return trio.lowlevel.current_trio_token().run_sync_soon if self.on_trio else Asyncio.caller()


class Child:
    """A coroutine in a child task, with the methods of an asyncio.Task that the tests use."""

    def __init__(self, framework: Structured) -> None:
        self.framework = framework
        self.scope = framework.library.CancelScope()
        self.over = framework.library.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        self.was_cancelled = False

    async def main(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """The code of the child task."""
        try:
            with self.scope:
                await self.keep_outcome(coroutine)
        finally:
            self.framework.children.discard(self)
            self.over.set()

    async def keep_outcome(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Keep the outcome. Only a cancellation is raised: the scope catches it."""
        try:
            self.value = await coroutine
        except self.framework.Cancelled:
            self.was_cancelled = True
            if self.scope.cancel_called:
                raise
        except BaseException as error:
            self.error = error
            self.framework.failed.add(self)

    def cancel(self) -> bool:
        """Cancel it; False if it has ended."""
        if not self.done():
            self.scope.cancel()
        return not self.done()

    def done(self) -> bool:
        """Whether it has ended."""
        return self.over.is_set()

    def cancelled(self) -> bool:
        """Whether it ended by a cancellation."""
        return self.was_cancelled

    def exception(self) -> BaseException | None:
        """The exception that it ended with, or None."""
        self.framework.failed.discard(self)
        return self.error

    def result(self) -> Any:
        """The value that it returned; raises the exception that it ended with."""
        if error := self.exception():
            raise error
        if not self.done() or self.was_cancelled:
            raise RuntimeError("the child was cancelled" if self.was_cancelled else "the child has not ended")
        return self.value

    async def wait(self) -> Any:
        """Wait for its end; return result()."""
        await self.over.wait()
        return self.result()

    def __await__(self) -> Any:
        return self.wait().__await__()


ASYNCIO = Asyncio()
framework: ContextVar[Asyncio | Structured] = ContextVar("framework", default=ASYNCIO)


def current() -> Asyncio | Structured:
    """The framework that runs here."""
    return framework.get()


# --- trio and anyio ---


def print_awaits(coroutine: Any) -> None:
    """Print where a coroutine is suspended."""
    while getattr(coroutine, "cr_frame", None):
        traceback.print_stack(coroutine.cr_frame, limit=1)
        coroutine = coroutine.cr_await


async def supervise(
    library: Any,
    on_trio: bool,
    open_nursery: Callable[[], AbstractAsyncContextManager[Any]],
    errors: list[Any],
    coroutine: Coroutine[Any, Any, Any],
) -> Any:
    """Run a test's function as the first child, for at most RUN_SECONDS; cancel what is left and wait for it."""
    async with open_nursery() as nursery:
        here = Structured(library, on_trio, nursery)
        framework.set(here)
        main = here.spawn(coroutine)
        with library.move_on_after(RUN_SECONDS) as limit:
            await main.over.wait()
        if limit.cancelled_caught:
            print_awaits(coroutine)
        for child in list(here.children):
            child.cancel()
    if limit.cancelled_caught:
        raise TimeoutError(f"not finished after {RUN_SECONDS} s")
    here.failed.discard(main)
    errors.extend(f"nobody took {child.error!r}" for child in here.failed)
    return main.result()


def run_structured(kind: str, errors: list[Any], async_fn: Callable[..., Any], *args: Any) -> Any:
    """Run to the end on trio or anyio; exceptions that were not retrieved go to the errors."""
    if kind == "trio":
        return trio.run(lambda: supervise(trio, True, trio.open_nursery, errors, async_fn(*args)))
    backend = kind.removeprefix("anyio/")
    options = {} if backend == "trio" else {"loop_factory": lambda: make_loop("asyncio", errors)}
    return anyio.run(
        lambda: supervise(anyio, backend == "trio", anyio.create_task_group, errors, async_fn(*args)),
        backend=backend,
        backend_options=options,
    )


# --- asyncio ---


# From 3.14 on asyncio.current_task() and all_tasks() see tasks of the Python implementation only if those use the same
# functions as all other tasks: CPython keeps the two implementations apart.
if sys.version_info >= (3, 14):
    for _name in ("enter_task", "leave_task", "swap_current_task", "register_task", "unregister_task"):
        setattr(asyncio.tasks, f"_py_{_name}", getattr(asyncio.tasks, f"_c_{_name}"))


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


def python_task(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """Make a Task of the implementation in Python."""
    return asyncio.tasks._PyTask(coro, loop=loop, **kwargs)


def make_loop(kind: str, errors: list[Any]) -> asyncio.AbstractEventLoop:
    """Make a loop that reports to the errors. Debug mode is on for one kind only, also under `python -X dev`."""
    if kind == "uvloop":
        loop = uvloop.new_event_loop()
    elif kind == "asyncio+no-reader":
        loop = NoReaderLoop()
    else:
        loop = asyncio.SelectorEventLoop()
    loop.set_debug(kind == "asyncio+debug")
    loop.set_exception_handler(lambda _, context: errors.append(context))
    if kind == "asyncio+pure":
        loop.set_task_factory(python_task)
    elif kind == "asyncio+eager":
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


def cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks that are left and wait for them, as asyncio.run does."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()

    async def wait() -> None:
        await asyncio.gather(*tasks, return_exceptions=True)

    if tasks:
        loop.run_until_complete(wait())


def close_loop(loop: asyncio.AbstractEventLoop) -> None:
    """End a loop as asyncio.run does."""
    if loop.is_closed():
        return
    try:
        cancel_all_tasks(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def run_on_loop(loop: asyncio.AbstractEventLoop, async_fn: Callable[..., Any], *args: Any) -> Any:
    """Run to the end, for at most RUN_SECONDS, and close the loop."""
    late = False

    def give_up() -> None:
        nonlocal late
        late = True
        task.print_stack()
        task.cancel()

    try:
        task = loop.create_task(async_fn(*args))
        timer = loop.call_later(RUN_SECONDS, give_up)
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if late:
                raise TimeoutError(f"not finished after {RUN_SECONDS} s") from None
            raise
        finally:
            timer.cancel()
    finally:
        close_loop(loop)


def run_kind(kind: str, errors: list[Any], async_fn: Callable[..., Any], *args: Any) -> Any:
    """Run an async function to the end, as asyncio.run does, on any kind; returns its result."""
    if kind in STRUCTURED_KINDS:
        return run_structured(kind, errors, async_fn, *args)
    return run_on_loop(make_loop(kind, errors), async_fn, *args)
