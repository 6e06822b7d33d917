"""Long chains of objects that hold each other, dropped by a thread with a small stack."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

import _cawait_test as t
from support.children.asan import ASAN

LENGTH = 20_000
STACK = (16 if ASAN else 1) * 512 * 1024


async def passed_on(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def items_of(iterable: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for item in iterable:
        yield item


class Holder:
    """An object of Python that holds the next one."""

    def __init__(self, one: Any) -> None:
        self.one = one


# Each puts one more link before a chain.
LINKS: dict[str, Callable[[Any], Any]] = {
    "coroutines that await": t.await_,
    "coroutines that await as a task": t.await_shielded,
    "coroutines that await through Python": lambda one: t.await_(passed_on(one)),
    "coroutines that hold others in a tuple": lambda one: t.in_turn([one]),
    "coroutines of methods": lambda one: t.Op(one).wait(),
    "coroutines wrapped in Python": lambda one: t.Op(one).wait_python(),
    "coroutines that hold others in an object": lambda one: t.Op(Holder(one)).wait(),
    "steps that send": lambda one: t.numbers(3).asend(one),
    "steps that throw": lambda one: t.numbers(3).athrow(LookupError(one)),
    "streams and coroutines": lambda one: t.in_turn([t.relay(of(one))]),
}
GENERATORS: dict[str, Callable[[Any], Any]] = {
    "generators": t.relay,
    "generators of lists": t.relay_lists,
    "generators through Python": lambda one: t.relay(items_of(one)),
    "generators in tasks": lambda one: t.relay_posted(one, 1),
}


class of:
    """An async iterator that holds something."""

    def __init__(self, one: Any) -> None:
        self.one = one

    def __aiter__(self) -> of:
        return self

    async def __anext__(self) -> Any:
        return await self.one


def chain(link: Callable[[Any], Any], one: Any) -> Any:
    for _ in range(LENGTH):
        one = link(one)
    return one


def dropped(one: Any) -> None:
    """Its argument is the last reference, once the caller has let go."""


def collected(one: Any) -> None:
    cycle = [one]
    cycle.append(cycle)
    del one, cycle
    gc.collect()


def closed(one: Any) -> None:
    one.close()


@pytest.fixture
def in_a_small_stack() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Calls a function in such a thread."""

    def call(function: Callable[[], None]) -> None:
        thread = threading.Thread(target=function)
        thread.start()
        thread.join()

    before = threading.stack_size(STACK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # they were never awaited
        yield call
    threading.stack_size(before)


@pytest.mark.parametrize("end", [dropped, collected])
@pytest.mark.parametrize("link", LINKS)
def test_chain_that_never_began(in_a_small_stack: Callable[..., Any], link: str, end: Callable[..., Any]) -> None:
    in_a_small_stack(lambda: end(chain(LINKS[link], t.ready(1))))


@pytest.mark.parametrize("end", [dropped, collected])
@pytest.mark.parametrize("link", GENERATORS)
def test_chain_of_generators_that_never_began(
    in_a_small_stack: Callable[..., Any], link: str, end: Callable[..., Any]
) -> None:
    async def main() -> None:
        end(chain(GENERATORS[link], t.numbers(3)))

    in_a_small_stack(lambda: asyncio.run(main()))


@pytest.mark.parametrize("end", [dropped, collected])
def test_chain_of_byte_streams(in_a_small_stack: Callable[..., Any], end: Callable[..., Any]) -> None:
    in_a_small_stack(lambda: end(chain(lambda one: t.byte_stream(one, None), t.byte_stream(0, None))))


@pytest.mark.parametrize("end", [dropped, collected, closed])
@pytest.mark.parametrize("link", ["coroutines that await", "coroutines that hold others in a tuple"])
def test_chain_that_waits(in_a_small_stack: Callable[..., Any], link: str, end: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")
        one = chain(LINKS[link], op.wait())
        one.send(None)
        ends = [one]
        del one
        end(ends.pop())
        gc.collect()
        assert op.freed == 1

    in_a_small_stack(lambda: asyncio.run(main()))


@pytest.mark.parametrize("end", [dropped, collected])
@pytest.mark.parametrize("waits", [False, True])
def test_chain_of_generators_that_have_begun(
    in_a_small_stack: Callable[..., Any], waits: bool, end: Callable[..., Any]
) -> None:
    async def main() -> None:
        generator = chain(t.relay, channel.generator())
        if not waits:
            channel.try_send(1)
        step = generator.__anext__()
        try:
            step.send(None)
        except StopIteration:
            assert not waits
        ends = [(generator, step)]
        del generator, step
        end(ends.pop())

    channel = t.Channel(capacity=1)
    in_a_small_stack(lambda: asyncio.run(main()))
    gc.collect()
    assert channel.cancelled == 1
