"""Operations in which a function of an author's returns a number."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import _cawait_test as t
from support.common import until

FUTURES = ["poll", "later poll", "child's poll", "spawned poll", "poll in a scope", "start", "run", "result"]
STREAMS = ["poll_next", "poll_next in a merge", "map", "channel's start", "convert", "convert in a task"]
BYTES = ["read", "send_all", "aclose"]


async def numbers() -> AsyncIterator[int]:
    for number in (3, 2, 1):
        yield number


async def collect(where: str, number: int, streams: Callable[..., Any] = t.items_and_returns) -> list[Any]:
    """The items of such a stream up to its end."""
    items = []
    source = numbers() if "convert" in where else None
    try:
        async for item in streams(where, number, source):
            items.append(item)
    finally:
        if where == "poll_next":
            assert items in ([3, 2, 1], [[3, 2], [1]])
        if source:
            await until(lambda: not source.ag_frame)  # a task of the loop closes it
    return items


async def use_bytes(method: str, number: int) -> Any:
    stream = t.returning_bytes(number)
    return await getattr(stream, method)(*[b"abc"] * (method == "send_all"))


def ways(number: int) -> dict[str, Callable[[], Coroutine[Any, Any, Any]]]:
    """A coroutine function for each function that returns the number."""
    ways: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {}
    for where in FUTURES:
        ways[where] = lambda where=where: t.returns(where, number)
    for where in STREAMS:
        ways[where] = lambda where=where: collect(where, number)
    for method in BYTES:
        ways[method] = lambda method=method: use_bytes(method, number)
    ways["poll without the GIL"] = lambda: t.returns_nogil("poll", number)
    ways["poll_next of lists"] = lambda: collect("poll_next", number, t.lists_and_returns)
    return ways
