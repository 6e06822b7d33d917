"""The twin of an async generator made in C: one of Python with the same behaviour, and both behind one interface.

Each side has a generator, and a native side that the test controls: Ours is a Channel, Theirs a queue of Python.
"""

from __future__ import annotations

import asyncio
import os
import re
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import _cawait_test as t

PENDING = "pending"  # the outcome of a step that waits for the native side


class Twin:
    """The native side, in Python."""

    def __init__(self) -> None:
        self.items: deque[int] = deque()
        self.status: int | None = None
        self.generator = self.numbers()

    def try_send(self, value: int) -> None:
        self.items.append(value)

    def close(self, status: int = 0) -> None:
        self.status = status

    @types.coroutine
    def next(self) -> Generator[Any, Any, int | None]:
        """The next item, or None at the end."""
        while not self.items and self.status is None:
            yield self
        return self.items.popleft() if self.items else None

    async def numbers(self) -> Any:
        """The generator."""
        while (item := await self.next()) is not None:
            if item == -1:
                raise LookupError("no value")
            yield item
        if self.status:
            raise OSError(-self.status, os.strerror(-self.status))

    @property
    def cancelled(self) -> int:
        """As if the generator cancelled the native side whenever the end does not come from it, also before it
        began."""
        return int(self.generator.ag_frame is None and self.status is None)


class Side:
    """A generator, its native side, and the awaitable of it that the test uses."""

    def __init__(self, native: Any, generator: Any) -> None:
        self.native = native
        self.generator = generator
        self.held: Any = None
        self.stepped: list[Any] = []  # awaitables that must not be dropped yet

    @property
    def cancelled(self) -> int:
        """How often cancel was called on the native side."""
        return self.native.cancelled

    async def put(self, *items: int) -> None:
        """Send items, and let them arrive."""
        for item in items:
            self.native.try_send(item)
        await turns()

    async def end(self, status: int = 0) -> None:
        """End the native side."""
        self.native.close(status)
        await turns()

    def drop(self) -> None:
        """Drop all references."""
        self.stepped.clear()
        self.held = self.generator = None


def ours(**options: Any) -> Side:
    """The side with the generator made in C."""
    channel = t.Channel(16)
    return Side(channel, channel.generator(**options))


def theirs() -> Side:
    """The side with the generator of Python."""
    twin = Twin()
    return Side(twin, twin.generator)


async def turns(n: int = 3) -> None:
    """Let the loop turn until a wake has arrived."""
    for _ in range(n):
        await asyncio.sleep(0)


# Words in which the two differ: ours are those of a coroutine.
WORDS = [
    (r"can't send non-None value to a just-started .*", "can't send a value"),
    (r"(coroutine|generator|async generator) raised Stop", "raised Stop"),
    (r"(throw|athrow) expected .*", "wrong number of arguments"),
]


def plain(text: str) -> str:
    """A message, without the words in which the two may differ."""
    for pattern, words in WORDS:
        text = re.sub(pattern, words, text)
    return text


def attempt(function: Callable[..., Any], *args: Any) -> Any:
    """The outcome of a call, in a form that can be compared."""
    try:
        result = function(*args)
    except StopIteration as stop:
        return "value", stop.value
    except BaseException as error:
        return type(error), error.args if isinstance(error, OSError) else plain(str(error))
    return ("returned", result) if result is None or isinstance(result, (bool, str, list)) else PENDING


def step(awaitable: Coroutine[Any, Any, Any], value: Any = None) -> Any:
    """The outcome of one step."""
    return attempt(awaitable.send, value)


def make_and_step(side: Side, name: str, *args: Any) -> Any:
    """The outcome of the method; or, if it returns an awaitable, of that one's first step."""

    def made_and_stepped() -> Any:
        side.stepped.append(getattr(side.generator, name)(*args))
        return side.stepped[-1].send(None)

    return attempt(made_and_stepped)
