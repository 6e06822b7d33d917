"""The frameworks that anyio runs on, and loops whose turns are counted."""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import Callable
from typing import Any

import anyio
import trio

from support.kinds import each_kind, uvloop

every_backend = each_kind("backend", ["asyncio", "uvloop", "trio"])
on_asyncio = each_kind("backend", ["asyncio", "uvloop"])


def run_anyio(backend: str, async_fn: Callable[..., Any], *args: Any) -> Any:
    """anyio.run on one of the three backends."""
    if backend == "trio":
        return anyio.run(async_fn, *args, backend="trio")
    return anyio.run(async_fn, *args, backend="asyncio", backend_options={"use_uvloop": backend == "uvloop"})


def not_cancelled(task: Any) -> bool:
    """Whether a task of asyncio is in the state of one that was never cancelled; asyncio counts cancels from 3.11
    on."""
    return sys.version_info < (3, 11) or task.cancelling() == 0


class Turns:
    """How often a loop has turned; if that cannot be found out, how many callbacks it was given."""

    def __init__(self) -> None:
        self.count = 0


class CountingSelector(selectors.DefaultSelector):
    """Counts the turns of a loop: each has one select."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self.turns = turns

    def select(self, timeout: float | None = None) -> Any:
        self.turns.count += 1
        return super().select(timeout)


class CountingInstrument(trio.abc.Instrument):
    """Counts the turns of a run of trio."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def before_io_wait(self, timeout: float) -> None:
        self.turns.count += 1


def counting_uvloop(turns: Turns) -> asyncio.AbstractEventLoop:
    """A loop of uvloop that counts its callbacks: those of call_soon, and those of ready file descriptors."""

    class Counting(uvloop.Loop):
        def call_soon(self, *args: Any, **kwargs: Any) -> Any:
            turns.count += 1
            return super().call_soon(*args, **kwargs)

        def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> Any:
            def counted() -> None:
                turns.count += 1
                callback(*args)

            return super().add_reader(fd, counted)

    return Counting()


def run_counted(backend: str, turns: Turns, async_fn: Callable[..., Any], *args: Any) -> Any:
    """anyio.run on one of the three backends, with its turns counted."""
    if backend == "trio":
        options: Any = {"instruments": [CountingInstrument(turns)]}
        return anyio.run(async_fn, *args, backend="trio", backend_options=options)
    factories = {
        "asyncio": lambda: asyncio.SelectorEventLoop(CountingSelector(turns)),
        "uvloop": lambda: counting_uvloop(turns),
    }
    options = {"loop_factory": factories[backend]}
    return anyio.run(async_fn, *args, backend="asyncio", backend_options=options)
