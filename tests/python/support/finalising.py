"""Coroutines that await each other, native ones and those of Python in any order, in cycles that the collector ends.

A shape is a list of names, from what is awaited in the end to what the task runs. `build` makes it in two ways: with
the library, and with Python alone, whose coroutines show what each awaiter has to see.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import _cawait_test as t

ops: list[Any] = []  # to be completed by `collect`: their awaiters are gone
sockets: list[socket.socket] = []
channels: list[Any] = []  # they stay until `collect`, since a channel without a producer has ended


def operation(method: str, on_cancel: str = "resolves") -> Any:
    ops.append(t.Op(on_cancel=on_cancel))
    return getattr(ops[-1], method)()


def reading() -> Any:
    sockets.extend(socket.socketpair())
    return t.byte_stream(sockets[-1].fileno(), -1).read(1)


def item() -> Any:
    channels.append(t.Channel(capacity=4))
    return anext(channels[-1].generator())


LEAVES: dict[str, Callable[[], Any]] = {
    "operation": lambda: operation("wait"),
    "operation that takes its time to end": lambda: operation("wait", "ignored"),
    "detached operation": lambda: operation("wait_detached", "ignored"),
    "shielded operation": lambda: operation("wait_shielded"),
    "operation wrapped in Python": lambda: operation("wait_python"),
    "operation polled without the GIL": lambda: operation("wait_nogil"),
    "operation that is told what is thrown": lambda: operation("wait_thrown"),
    "timer": lambda: t.sleep(1000),
    "item of a channel": item,
    "read of a byte stream": reading,
}


class Side:
    """One of the two ways; `seen` is what the awaiters written in Python saw, `made` what the collector may end."""

    def __init__(self, is_native: bool) -> None:
        self.is_native = is_native
        self.seen: list[tuple[int, str]] = []
        self.made: list[Any] = []

    def note(self, at: int, error: BaseException) -> None:
        self.seen.append((at, type(error).__name__))

    def build(self, leaf: str, layers: list[str], waits: Callable[[], Awaitable[Any]]) -> Any:
        """The coroutine of a shape. `waits` makes Python's way to wait for ever."""
        one: Any = LEAVES[leaf]() if self.is_native else self.awaiting(waits)
        self.made.append(one)
        for at, layer in enumerate(layers):
            one = getattr(self, layer)(at, one)
            self.made.append(one)
        return one

    async def awaiting(self, waits: Callable[[], Awaitable[Any]]) -> Any:
        return await waits()

    # --- written in Python on both sides ---

    async def python(self, at: int, one: Awaitable[Any]) -> Any:
        try:
            return await one
        except BaseException as error:
            self.note(at, error)
            raise

    async def returns(self, at: int, one: Awaitable[Any]) -> Any:
        try:
            return await one
        except BaseException as error:
            self.note(at, error)
            return "nothing"

    async def fails(self, at: int, one: Awaitable[Any]) -> Any:
        try:
            return await one
        except BaseException as error:
            self.note(at, error)
            raise LookupError(at) from None

    async def in_a_loop(self, at: int, one: Awaitable[Any]) -> Any:
        """A plain `async for`."""
        try:
            async for item in self.relay(self.items(one)):
                return item
        except BaseException as error:
            self.note(at, error)
            raise

    async def in_a_loop_over_a_helper(self, at: int, one: Awaitable[Any]) -> Any:
        try:
            async for item in self.relay(self.relay(self.items(one))):
                return item
        except BaseException as error:
            self.note(at, error)
            raise

    async def items(self, one: Awaitable[Any]) -> AsyncIterator[Any]:
        yield await one

    # --- native, or the same in Python ---

    def relay(self, iterable: AsyncIterator[Any]) -> Any:
        generator = t.relay(iterable) if self.is_native else self.python_relay(iterable)
        self.made.append(generator)
        return generator

    async def python_relay(self, iterable: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for item in iterable:
            yield item

    def native(self, at: int, one: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
        return t.await_(one) if self.is_native else self.passing(one)

    def native_of_several(self, at: int, one: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
        return t.in_turn([one]) if self.is_native else self.passing(one)

    async def passing(self, one: Awaitable[Any]) -> Any:
        return await one

    def native_that_keeps_errors(self, at: int, one: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
        return t.in_turn([one], on_error="keep") if self.is_native else self.keeping(one)

    def native_copy(self, at: int, one: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
        """It reads a byte stream of Python."""
        return t.copy(Source(one), sockets_end(), closes=False) if self.is_native else self.passing(one)

    def native_as_a_task(self, at: int, one: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        return t.await_shielded(one) if self.is_native else self.in_a_task(one)

    async def in_a_task(self, one: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.ensure_future(one)

    async def keeping(self, one: Awaitable[Any]) -> Any:
        try:
            return await one
        except BaseException as error:
            return [error]


LAYERS = ["python", "returns", "fails", "in_a_loop", "in_a_loop_over_a_helper", "native"]
# Their structs hold Python objects that the collector does not see: only the end of their loop drops them.
HIDDEN_LAYERS = ["native_of_several", "native_that_keeps_errors", "native_copy", "native_as_a_task"]


class Source:
    """A byte stream of Python."""

    def __init__(self, one: Awaitable[Any]) -> None:
        self.one = one

    async def receive_some(self, max_bytes: int | None = None) -> Any:
        return await self.one


def sockets_end() -> int:
    sockets.extend(socket.socketpair())
    return sockets[-1].fileno()


class First:
    """An object of the garbage whose finalizer runs before all others: it was made first. It calls a method of the
    others, in an order of its own."""

    def __init__(self, method: str, order: list[int]) -> None:
        self.method = method
        self.order = order
        self.others: list[Any] = []
        self.cycle = self

    def __del__(self) -> None:
        for at in self.order:
            if at < len(self.others) and hasattr(self.others[at], self.method):
                with suppress(LookupError, RuntimeError):  # of a layer that fails; of one that is being closed
                    getattr(self.others[at], self.method)()


def reports_of(unraisable: list[str]) -> list[str]:
    """The exceptions that were reported, without their objects; none is left."""
    found = [entry.split(" (", 1)[0] for entry in unraisable]
    unraisable.clear()
    return sorted(found)


async def forever() -> None:
    """Wait for a future of the loop that nobody resolves."""
    await asyncio.get_running_loop().create_future()


@types.coroutine
def forever_by_hand() -> Iterator[Any]:
    """The same for a coroutine that no task drives."""
    yield None


def collect() -> None:
    """End all that is garbage, and then what native operations are left of it."""
    for _ in range(3):  # what a finalizer has left, and what a weak reference kept
        gc.collect()
    for op in ops:
        op.resolve()
    ops.clear()
    for one in sockets:
        one.close()
    sockets.clear()
    channels.clear()
