"""Fixtures: a framework of each kind to run on, and the check that a test leaves nothing behind.

    run(async_fn, *args)   runs it to the end on a new loop of the kind, as asyncio.run does; returns its result
    kind                   its name, one of support/kinds.py: the option --kinds chooses among them

    run_asyncio(async_fn, *args), loop_kind
                           the same for a test that needs asyncio itself
    new_loop()             a new loop of that kind; it is closed after the test if the test has not closed it

    unraisable             the calls of sys.unraisablehook; a test that expects entries clears it
    loop_errors            the errors that loops reported to their exception handler; cleared in the same way
    hubs()                 the hubs that are alive

After each test: no native future is alive, no coroutine or hub of the library, no file descriptor more than before.
"""

from __future__ import annotations

import asyncio
import faulthandler
import functools
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis  # here: the import searches the collector for trio's random numbers; see Before
import pytest

import _cawait_test as t
from support.common import wait_until
from support.frameworks import RUN_SECONDS, close_loop, make_loop, run_kind
from support.kinds import ASYNCIO_KINDS, KINDS, choose, is_chosen, is_here, kind_fixture

TEST_SECONDS = 2 * RUN_SECONDS  # after this time a test counts as hanging
SETTLE_SECONDS = 20  # how long other threads may take to finish after the test

failed = pytest.StashKey[bool]()
watchdog_fd = pytest.StashKey[int]()
chosen = pytest.StashKey[set[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The choice of kinds."""
    what = "the kinds of frameworks that repeated tests run on: kinds, patterns, one-each; with - before it: not that"
    parser.addoption("--kinds", default="*", metavar="KIND,...", help=f"{what} (support/kinds.py)")


def pytest_configure(config: pytest.Config) -> None:
    """Read the option; keep the real stderr for the watchdog; see to it that children take SIGINT."""
    config.stash[chosen] = choose(config.getoption("kinds"))
    config.stash[watchdog_fd] = os.dup(2)  # nothing is captured yet
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # by a shell that runs this in the background; inherited
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the kinds that were not chosen; give each test its time limit if the plugin for it is installed."""
    keep: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        keep[is_chosen(item, config.stash[chosen])].append(item)
    config.hook.pytest_deselected(items=keep[False])
    items[:] = keep[True]
    if config.pluginmanager.hasplugin("timeout"):
        for item in items:
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """Record that a test failed: its traceback keeps objects alive, so nothing more is checked."""
    report = yield
    if report.when == "call":
        item.stash[failed] = report.failed
    return report


@pytest.fixture(autouse=True)
def watchdog(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the process, with all tracebacks, if a test hangs where no signal reaches it."""
    marker = request.node.get_closest_marker("timeout")
    seconds = marker.args[0] if marker and marker.args else TEST_SECONDS
    faulthandler.dump_traceback_later(seconds + 15, exit=True, file=request.config.stash[watchdog_fd])
    yield
    faulthandler.cancel_dump_traceback_later()


# --- frameworks and loops ---


kind = kind_fixture(KINDS)


@pytest.fixture
def run(kind: str, loop_errors: list[Any]) -> Callable[..., Any]:
    """A function that runs an async function on a new loop of the kind."""
    return functools.partial(run_kind, kind, loop_errors)


loop_kind = kind_fixture(ASYNCIO_KINDS)


@pytest.fixture
def run_asyncio(loop_kind: str, loop_errors: list[Any]) -> Callable[..., Any]:
    """Like `run`, for a test that needs asyncio itself."""
    return functools.partial(run_kind, loop_kind, loop_errors)


@pytest.fixture
def new_loop(loop_kind: str, loop_errors: list[Any]) -> Iterator[Callable[[], asyncio.AbstractEventLoop]]:
    """A function that makes a loop of the kind."""
    loops = []

    def make() -> asyncio.AbstractEventLoop:
        loops.append(make_loop(loop_kind, loop_errors))
        return loops[-1]

    yield make
    while loops:  # emptied: the test's arguments live longer than this
        close_loop(loops.pop())


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
    """The errors that loops reported: a context, or the message in the log if the loop has no handler."""
    errors: list[Any] = []
    handler = ListHandler(errors)
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    yield errors
    logger.removeHandler(handler)


@pytest.fixture
def unraisable() -> Iterator[list[Any]]:
    """The unraisable exceptions, as text: an exception kept here would keep alive what it refers to."""
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
            pass  # the fd of the folder itself
    return fds


def live_objects() -> list[Any]:
    """The library's coroutines and hubs of this test that are alive and tracked by the collector."""
    objects = gc.get_objects()
    kinds = {kind for kind in set(map(type, objects)) if kind.__module__ == "cawait"}
    return [one for one in objects if type(one) in kinds and type(one).__name__ in ("coroutine", "hub")]


@pytest.fixture
def hubs() -> Callable[[], list[Any]]:
    """A function that returns the live hubs; none at first. A hub of an earlier test may have had to wait for a
    thread."""

    def all_hubs() -> list[Any]:
        return [one for one in live_objects() if type(one).__name__ == "hub"]

    wait_until(lambda: gc.collect() >= 0 and not all_hubs())
    return all_hubs


class Before:
    """What was alive before a test. Python's objects are frozen (gc.freeze) and not examined any more: to go through
    all of them for each test would take longer than the test."""

    def __init__(self) -> None:
        gc.collect()
        gc.freeze()
        self.futures = t.live_futures()
        self.fds = open_fds()

    def left_behind(self) -> list[str]:
        """What there is in addition now, in words."""
        gc.collect()
        fds, left = open_fds(), [repr(one) for one in live_objects()]
        if t.live_futures() != self.futures:
            left.append(f"{t.live_futures() - self.futures} native futures")
        if len(fds) > len(self.fds):
            left += [f"fd {fd}: {what}" for fd, what in fds.items() if self.fds.get(fd) != what]
        return left


def settle(before: Before) -> list[str]:
    """What is left after other threads have had time to finish."""
    give_up = time.monotonic() + SETTLE_SECONDS
    while (left := before.left_behind()) and time.monotonic() < give_up:
        time.sleep(0.001)
    return left


@pytest.fixture(scope="session", autouse=True)
def process_wide_things() -> None:
    """Make what lives as long as the process: the threads of the pool and their reactor, uvloop's signal pipe."""

    async def use_all() -> None:
        await t.spawned_sleep(0)
        await t.blocking(0)

    for kind in filter(is_here, KINDS):
        run_kind(kind, [], use_all)
    make_the_random_numbers()


@hypothesis.settings(max_examples=1, database=None, deadline=None)
@hypothesis.given(hypothesis.strategies.none())
def make_the_random_numbers(nothing: None) -> None:
    """The first use of hypothesis searches the collector for who holds its random numbers: see Before."""


@pytest.fixture(autouse=True)
def nothing_is_left(
    request: pytest.FixtureRequest, process_wide_things: None, unraisable: list[Any], loop_errors: list[Any]
) -> Iterator[None]:
    """Fail a test that leaves something behind, or errors that were not cleared."""
    before = Before()
    yield
    if request.node.stash.get(failed, False):
        return
    assert not settle(before)
    assert not unraisable
    assert not loop_errors
