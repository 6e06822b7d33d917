"""Async iterables of Python for the tests of C code that consumes them, and the places where that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

import _cawait_test as t
from support.common import turn

PLACES = ["place", "task", "pool", "scope"]
each_place = pytest.mark.parametrize("where", PLACES)
posted_too = pytest.mark.parametrize("where", ["place", "task"])
RELAYS = {"relay": t.relay, "posted": lambda iterable: t.relay_posted(iterable, 2)}
each_relay = pytest.mark.parametrize("relay", RELAYS.values(), ids=list(RELAYS))


class Source:
    """Numbers, with a record of how many were produced, and a cleanup that awaits."""

    def __init__(self, n: int, waits: bool = True) -> None:
        self.n = n
        self.waits = waits
        self.given = 0
        self.log: list[str] = []

    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            while self.given < self.n:
                if self.waits:
                    await turn()
                self.given += 1
                yield self.given
            self.log.append("end")
        except BaseException as error:
            self.log.append(type(error).__name__)
            raise
        finally:
            self.log.append("cleaning")
            for _ in range(3):
                await turn()
            self.log.append("clean")


def iterator_class(source: AsyncIterator[Any]) -> Any:
    """An iterator that has no aclose()."""

    class Iterator:
        def __aiter__(self) -> Any:
            return self

        def __anext__(self) -> Any:
            return source.__anext__()

    return Iterator()


def counted(total: Any, n: int, where: str) -> bool:
    """Whether this many numbers were added up. A join of the pool has no total: None."""
    return total is None if where in ("pool", "scope") else total == (n, n * (n + 1) // 2)
