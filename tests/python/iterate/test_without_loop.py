"""An iterable that never suspends is iterated in place where no loop runs, by a coroutine that is driven by hand."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

import _cawait_test as t
from support.common import Value


def driven(coroutine: Any) -> Any:
    """The value of a coroutine that ends in its first step."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it has suspended")


class Numbers:
    """An async iterator whose __anext__() is a coroutine."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __aiter__(self) -> Numbers:
        return self

    async def __anext__(self) -> int:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return self.left


async def generated(n: int) -> AsyncIterator[int]:
    for number in reversed(range(n)):
        yield number


async def listed(iterable: Any) -> list[Any]:
    return [item async for item in iterable]


@pytest.mark.parametrize("iterable", [Numbers, generated], ids=["iterator", "generator"])
def test_all_items_come_where_no_loop_runs(iterable: Any) -> None:
    assert driven(listed(t.relay(iterable(5)))) == [4, 3, 2, 1, 0]
    assert driven(t.total(iterable(5), where="place")) == driven(t.total(Numbers(5), where="place"))
    assert sum(driven(listed(t.relay_lists(iterable(5)))), []) == [4, 3, 2, 1, 0]


def test_items_and_the_iterable_are_dropped_at_once() -> None:
    async def values() -> AsyncIterator[Value]:
        yield Value()
        yield Value()

    iterable = values()
    relay = t.relay(iterable)
    item = weakref.ref(driven(anext(relay)))
    assert item() is None
    gone = weakref.ref(iterable)
    del iterable, relay
    gc.collect()
    assert gone() is None


def test_iterable_that_suspends_there_says_that_no_loop_runs() -> None:
    async def waits() -> AsyncIterator[Any]:
        yield await t.yield_times(1)

    with pytest.raises(RuntimeError, match="no running event loop"):
        listed(t.relay(waits())).send(None)


def test_error_of_the_iterable_comes_through() -> None:
    async def fails() -> AsyncIterator[int]:
        yield 1
        raise LookupError

    relay = t.relay(fails())
    assert driven(anext(relay)) == 1
    with pytest.raises(LookupError):
        anext(relay).send(None)
