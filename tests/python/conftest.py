"""Fixtures: a loop of each kind to run on, and the check that a test leaves nothing behind.

    run(async_fn, *args)   runs it to the end on a new loop of the kind, as asyncio.run does; returns its result
    loop_kind              "asyncio", "asyncio-debug", "uvloop", "no_reader", "python-task" or "eager"
    new_loop()             a new loop of the kind; it is closed after the test if the test has not done it
    unraisable             what sys.unraisablehook got; a test that expects entries clears it
    loop_errors            what loops reported to their exception handler; likewise
    hubs()                 the hubs that are alive

After each test: no native future is alive, no coroutine or hub of the library, no file descriptor more than before.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import faulthandler
import gc
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import _cawait_test as t
import pytest
from common import NoReaderLoop, wait_until

try:
    import uvloop
except ImportError:
    uvloop = None

SLOW = 5 if "libasan" in os.environ.get("LD_PRELOAD", "") else 1  # AddressSanitizer
TEST_SECONDS = 60 * SLOW  # one test, before it counts as hanging
RUN_SECONDS = 30 * SLOW  # one run() in it
SETTLE_SECONDS = 3  # what other threads have still to finish after the test

KINDS = ["asyncio", "asyncio-debug", "uvloop", "no_reader", "python-task"]
if sys.version_info >= (3, 12):
    KINDS.append("eager")

failed = pytest.StashKey[bool]()
watchdog_fd = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Every warning is an error; keep the real stderr for the watchdog."""
    config.addinivalue_line("filterwarnings", "error")
    config.stash[watchdog_fd] = os.dup(2)  # nothing is captured yet


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test its time limit, where the plugin for it is installed."""
    if config.pluginmanager.hasplugin("timeout"):
        for item in items:
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """Remember that a test failed: its traceback keeps objects alive, so nothing more is checked."""
    report = yield
    if report.when == "call":
        item.stash[failed] = report.failed
    return report


@pytest.fixture(autouse=True)
def watchdog(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the process, with all tracebacks, when a test hangs where no signal reaches it."""
    marker = request.node.get_closest_marker("timeout")
    seconds = marker.args[0] if marker and marker.args else TEST_SECONDS
    faulthandler.dump_traceback_later(seconds + 15, exit=True, file=request.config.stash[watchdog_fd])
    yield
    faulthandler.cancel_dump_traceback_later()


# --- loops ---


def python_task(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """Make a Task of the implementation that is written in Python."""
    return asyncio.tasks._PyTask(coro, loop=loop, **kwargs)


def make_loop(kind: str) -> asyncio.AbstractEventLoop:
    """Make a loop; its debug mode is on for one kind only, also under `python -X dev`."""
    if kind == "uvloop":
        loop = uvloop.new_event_loop()
    elif kind == "no_reader":
        loop = NoReaderLoop()
    else:
        loop = asyncio.SelectorEventLoop()
    loop.set_debug(kind == "asyncio-debug")
    if kind == "python-task":
        loop.set_task_factory(python_task)
    elif kind == "eager":
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


def cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is left on the loop and wait for it, as asyncio.run does."""
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


def run_on(loop: asyncio.AbstractEventLoop, async_fn: Callable[..., Any], *args: Any) -> Any:
    """Run to the end, at most RUN_SECONDS, and close the loop."""
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


@pytest.fixture(params=KINDS)
def loop_kind(request: pytest.FixtureRequest) -> str:
    """The kind of loop that the test runs on."""
    if request.param == "uvloop" and uvloop is None:
        pytest.skip("uvloop is not installed")
    return request.param


@pytest.fixture
def new_loop(loop_kind: str, loop_errors: list[Any]) -> Iterator[Callable[[], asyncio.AbstractEventLoop]]:
    """A function that makes a loop of the kind."""
    loops = []

    def make() -> asyncio.AbstractEventLoop:
        loop = make_loop(loop_kind)
        loop.set_exception_handler(lambda _, context: loop_errors.append(context))
        loops.append(loop)
        return loop

    yield make
    while loops:  # emptied: the test's arguments live longer than this
        close_loop(loops.pop())


@pytest.fixture
def run(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Callable[..., Any]:
    """A function that runs an async function on a new loop of the kind."""

    def run_async(async_fn: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        return run_on(new_loop(), async_fn, *args)

    return run_async


# --- nothing is left ---


class ListHandler(logging.Handler):
    """Collects the messages of a logger."""

    def __init__(self, messages: list[Any]) -> None:
        super().__init__(logging.ERROR)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def loop_errors() -> Iterator[list[Any]]:
    """What loops reported: a context, or the message in the log when the loop has no handler."""
    errors: list[Any] = []
    handler = ListHandler(errors)
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    yield errors
    logger.removeHandler(handler)


@pytest.fixture
def unraisable() -> Iterator[list[Any]]:
    """What could not be raised, as text: an exception kept here would keep what it refers to alive."""
    seen: list[Any] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda args: seen.append(
        f"{args.exc_type.__name__}: {args.exc_value} ({args.err_msg}: {args.object!r})"
    )
    yield seen
    sys.unraisablehook = before


def open_fds() -> dict[str, str]:
    """The open file descriptors and what they are."""
    fds = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            fds[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            pass  # the one of the folder itself
    return fds


def live_objects() -> list[Any]:
    """The library's coroutines and hubs that are alive, as far as the collector knows of them."""
    objects = gc.get_objects()
    kinds = {kind for kind in set(map(type, objects)) if kind.__module__ == "cawait"}
    return [one for one in objects if type(one) in kinds and type(one).__name__ in ("coroutine", "hub")]


@pytest.fixture
def hubs() -> Callable[[], list[Any]]:
    """A function: the hubs that are alive, none at first. One of the test before may have had a thread to wait for."""

    def all_hubs() -> list[Any]:
        return [one for one in live_objects() if type(one).__name__ == "hub"]

    wait_until(lambda: gc.collect() >= 0 and not all_hubs())
    return all_hubs


class Before:
    """What was alive before a test."""

    def __init__(self) -> None:
        gc.collect()
        self.objects = len(live_objects())
        self.futures = t.live_futures()
        self.fds = open_fds()

    def left_behind(self) -> list[str]:
        """What there is more now, in words."""
        gc.collect()
        objects, fds = live_objects(), open_fds()
        left = [repr(one) for one in objects] if len(objects) > self.objects else []
        if t.live_futures() != self.futures:
            left.append(f"{t.live_futures() - self.futures} native futures")
        if len(fds) > len(self.fds):
            left += [f"fd {fd}: {what}" for fd, what in fds.items() if self.fds.get(fd) != what]
        return left


def sweep_no_reader_hubs() -> None:
    """Nothing tells the library that a loop without add_reader was closed: the hub of such a loop goes when the next
    one is made. Make one, so that it is the only one there is."""
    run_on(make_loop("no_reader"), t.yield_times, 1)


def use_process_wide_things() -> None:
    """Make what lives as long as the process: the threads of the pool and their reactor, uvloop's signal pipe."""

    async def use_all() -> None:
        await t.spawned_sleep(0)
        await t.blocking(0)

    for kind in KINDS:
        if kind != "uvloop" or uvloop:
            run_on(make_loop(kind), use_all)


def settle(before: Before) -> list[str]:
    """What is left once other threads have had the time to finish."""
    give_up = time.monotonic() + SETTLE_SECONDS
    left = before.left_behind()
    if left:
        sweep_no_reader_hubs()
    while left and time.monotonic() < give_up:
        time.sleep(0.001)
        left = before.left_behind()
    return left


@pytest.fixture(scope="session", autouse=True)
def process_wide_things() -> Before:
    """What is alive when no test runs. The modules that are loaded by now are kept from the collector: ten times faster."""
    use_process_wide_things()
    gc.collect()
    gc.freeze()
    sweep_no_reader_hubs()
    return Before()


@pytest.fixture(autouse=True)
def nothing_is_left(
    request: pytest.FixtureRequest, process_wide_things: Before, unraisable: list[Any], loop_errors: list[Any]
) -> Iterator[None]:
    """Fail a test that leaves something behind or whose errors nobody took."""
    if len(live_objects()) < process_wide_things.objects:
        sweep_no_reader_hubs()
    before = Before()
    yield
    if request.node.stash.get(failed, False):
        return
    assert not settle(before)
    assert not unraisable
    assert not loop_errors
