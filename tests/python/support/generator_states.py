"""The states of an async generator and of an awaitable of it: each function brings a Side (twin.py) into one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from support.twin import Side, attempt, step

State = Callable[[Side], Awaitable[None]]


async def new(side: Side) -> None:
    pass


async def made(side: Side) -> None:
    side.held = side.generator.__anext__()


async def suspended(side: Side) -> None:
    await side.put(1)
    side.held = side.generator.__anext__()
    assert step(side.held) == ("value", 1)


async def made_while_suspended(side: Side) -> None:
    await suspended(side)
    side.held = side.generator.asend(None)


async def value_made_while_suspended(side: Side) -> None:
    await suspended(side)
    side.held = side.generator.asend("value")


async def pending(side: Side) -> None:
    side.held = side.generator.__anext__()
    assert step(side.held) == "pending"


async def pending_after_an_item(side: Side) -> None:
    await suspended(side)
    await pending(side)


async def item_has_come(side: Side) -> None:
    await pending(side)
    await side.put(2)


async def end_has_come(side: Side) -> None:
    await pending(side)
    await side.end()


async def error_has_come(side: Side) -> None:
    await pending(side)
    await side.end(-2)


async def item_is_there(side: Side) -> None:
    await side.put(3)
    await made(side)


async def second_made(side: Side) -> None:
    first = side.generator.__anext__()
    side.held = side.generator.__anext__()
    side.stepped.append(first)
    assert step(first) == "pending"


async def second_is_aclose(side: Side) -> None:
    await second_made(side)
    side.held = side.generator.aclose()


async def second_is_athrow(side: Side) -> None:
    await second_made(side)
    side.held = side.generator.athrow(KeyError("k"))


async def ended(side: Side) -> None:
    await end_has_come(side)
    assert step(side.held)[0] is StopAsyncIteration


async def made_before_the_end(side: Side) -> None:
    await pending(side)
    await side.end()
    second = side.generator.__anext__()
    assert step(side.held)[0] is StopAsyncIteration
    side.held = second


async def ended_by_an_error(side: Side) -> None:
    await error_has_come(side)
    assert step(side.held)[0] is FileNotFoundError


async def ended_by_an_item(side: Side) -> None:
    await side.put(-1)
    await made(side)
    assert step(side.held)[0] is LookupError


async def closed(side: Side) -> None:
    await suspended(side)
    side.held = side.generator.aclose()
    assert step(side.held) == ("value", None)


async def closed_when_new(side: Side) -> None:
    side.held = side.generator.aclose()
    assert step(side.held) == ("value", None)


async def aclose_made(side: Side) -> None:
    side.held = side.generator.aclose()


async def aclose_made_while_suspended(side: Side) -> None:
    await suspended(side)
    side.held = side.generator.aclose()


async def athrow_made(side: Side) -> None:
    side.held = side.generator.athrow(KeyError("k"))


async def athrow_made_while_suspended(side: Side) -> None:
    await suspended(side)
    side.held = side.generator.athrow(KeyError("k"))


async def aclose_made_when_closed(side: Side) -> None:
    await closed(side)
    side.held = side.generator.aclose()


async def athrow_made_when_closed(side: Side) -> None:
    await closed(side)
    side.held = side.generator.athrow(KeyError("k"))


async def athrow_made_when_ended(side: Side) -> None:
    await ended(side)
    side.held = side.generator.athrow(KeyError("k"))


async def thrown_into(side: Side) -> None:
    await suspended(side)
    side.held = side.generator.athrow(KeyError("k"))
    assert step(side.held)[0] is KeyError


async def thrown_into_when_new(side: Side) -> None:
    side.held = side.generator.athrow(KeyError("k"))
    assert step(side.held)[0] is KeyError


async def after_a_value(side: Side) -> None:
    await suspended(side)
    await side.put(4)
    side.held = side.generator.asend("value")
    assert step(side.held) == ("value", 4)


async def cancelled_while_pending(side: Side) -> None:
    await pending(side)
    assert attempt(side.held.throw, asyncio.CancelledError("c"))[0] is asyncio.CancelledError


async def step_closed_while_pending(side: Side) -> None:
    await pending(side)
    assert attempt(side.held.close)[0] in ("returned", RuntimeError)


STATES = [
    new,
    made,
    suspended,
    made_while_suspended,
    value_made_while_suspended,
    pending,
    pending_after_an_item,
    item_has_come,
    end_has_come,
    error_has_come,
    item_is_there,
    second_made,
    second_is_aclose,
    second_is_athrow,
    ended,
    made_before_the_end,
    ended_by_an_error,
    ended_by_an_item,
    closed,
    closed_when_new,
    aclose_made,
    aclose_made_while_suspended,
    athrow_made,
    athrow_made_while_suspended,
    aclose_made_when_closed,
    athrow_made_when_closed,
    athrow_made_when_ended,
    thrown_into,
    thrown_into_when_new,
    after_a_value,
    cancelled_while_pending,
    step_closed_while_pending,
]

PENDING = {pending, pending_after_an_item}
TO_WAIT = {made, made_while_suspended, value_made_while_suspended}
TO_CLOSE = {aclose_made, aclose_made_while_suspended, aclose_made_when_closed}
TO_THROW = {athrow_made, athrow_made_while_suspended, athrow_made_when_closed, athrow_made_when_ended}
SECOND = {second_made, second_is_aclose, second_is_athrow}
NOT_BEGUN = {new, made, item_is_there, aclose_made, athrow_made}
OVER = {made_before_the_end, aclose_made_when_closed, athrow_made_when_closed, athrow_made_when_ended}
