"""Every method of an async generator in every state answers as Python's own does.

Each case brings two generators into a state, the one made in C and its twin in Python (twin.py), does the same to both,
and compares what came of it: what was returned or raised; then ag_running, whether the native side was told, and what
the next item gives.

Python's answers have changed over the versions. Ours are those of the newest that was looked at, 3.13:

    close() of an awaitable that has not begun                 ends the generator (before 3.13: leaves it)
    close() of one that is pending                             ends the generator (before: it is `running` for ever)
    throw(), close() of one while another one is pending       RuntimeError (before: thrown in, or nothing)
    a step that was refused because another one is pending     is used up (before: may be tried again)
    StopIteration, StopAsyncIteration thrown in                RuntimeError, PEP 479 (before 3.12: in part)

is_older() says what is not compared because of that, and ON_PURPOSE where ours differs from all versions, and why.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from frameworks import run_kind
from twin import Side, attempt, ours, step, theirs

# --- states ---


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

# --- what is done ---

Action = Callable[[Side], Any]


def fresh(args: tuple[Any, ...]) -> list[Any]:
    """Arguments for one use: functions make exceptions."""
    return [arg() if callable(arg) and not isinstance(arg, type) else arg for arg in args]


def make_and_step(side: Side, name: str, *args: Any) -> Any:
    """The outcome of the first step of what the method makes, or of making it."""

    def made_and_stepped() -> Any:
        side.stepped.append(getattr(side.generator, name)(*args))
        return side.stepped[-1].send(None)

    return attempt(made_and_stepped)


def on_generator(name: str, *args: Any) -> Action:
    """Make an awaitable and step it."""
    return lambda side: make_and_step(side, name, *fresh(args))


def on_held(name: str, *args: Any) -> Action:
    """Do it to the awaitable at hand."""
    return lambda side: attempt(getattr(side.held, name), *fresh(args))


def twice(action: Action) -> Action:
    return lambda side: [action(side), action(side)]


def await_held(side: Side) -> Any:
    async def user() -> Any:
        return await side.held

    awaiter = user()
    side.stepped.append(awaiter)
    return step(awaiter)


def drive(side: Side) -> Any:
    return attempt(lambda: next(side.held.__await__()))


def iterate(side: Side) -> Any:
    return attempt(lambda: next(iter(side.held)))


ON_GENERATOR = {
    "anext": on_generator("__anext__"),
    "asend None": on_generator("asend", None),
    "asend value": on_generator("asend", 7),
    "athrow instance": on_generator("athrow", lambda: KeyError("k")),
    "athrow class": on_generator("athrow", KeyError),
    "athrow class, value": on_generator("athrow", KeyError, "k"),
    "athrow class, instance": on_generator("athrow", KeyError, lambda: KeyError("i")),
    "athrow three": on_generator("athrow", KeyError, None, None),
    "athrow StopIteration": on_generator("athrow", lambda: StopIteration(1)),
    "athrow StopAsyncIteration": on_generator("athrow", lambda: StopAsyncIteration(1)),
    "athrow GeneratorExit": on_generator("athrow", GeneratorExit),
    "athrow CancelledError": on_generator("athrow", lambda: asyncio.CancelledError("c")),
    "aclose": on_generator("aclose"),
    "aclose twice": twice(on_generator("aclose")),
    "anext twice": twice(on_generator("__anext__")),
    "aclose with an argument": on_generator("aclose", 1),
}
ON_HELD = {
    "send None": on_held("send", None),
    "send None twice": twice(on_held("send", None)),
    "send value": on_held("send", 5),
    "send value, None": lambda side: [on_held("send", 5)(side), on_held("send", None)(side)],
    "next": on_held("__next__"),
    "await": await_held,
    "await twice": twice(await_held),
    "drive": drive,
    "iterate": iterate,
    "throw instance": on_held("throw", lambda: KeyError("k")),
    "throw instance twice": twice(on_held("throw", lambda: KeyError("k"))),
    "throw class": on_held("throw", KeyError),
    "throw StopIteration": on_held("throw", lambda: StopIteration(1)),
    "throw StopAsyncIteration": on_held("throw", lambda: StopAsyncIteration(1)),
    "throw GeneratorExit": on_held("throw", GeneratorExit),
    "throw CancelledError": on_held("throw", lambda: asyncio.CancelledError("c")),
    "close": on_held("close"),
    "close twice": twice(on_held("close")),
    "close, send": lambda side: [on_held("close")(side), on_held("send", None)(side)],
}


async def outcomes(side: Side, state: Callable[[Side], Awaitable[None]], action: Action) -> list[Any]:
    """What comes of it, and what is afterwards."""
    await state(side)
    began = [side.cancelled, side.generator.ag_running]
    came = action(side)
    now = side.generator.ag_running
    after = side.cancelled
    await side.put(99)
    following = make_and_step(side, "__anext__")
    return [*began, came, now, after, following, side.cancelled]


# --- where the answers differ ---

State = Callable[[Side], Awaitable[None]]

PENDING = {pending, pending_after_an_item}
TO_WAIT = {made, made_while_suspended, value_made_while_suspended}
TO_CLOSE = {aclose_made, aclose_made_while_suspended, aclose_made_when_closed}
TO_THROW = {athrow_made, athrow_made_while_suspended, athrow_made_when_closed, athrow_made_when_ended}
SECOND = {second_made, second_is_aclose, second_is_athrow}
NOT_BEGUN = {new, made, item_is_there, aclose_made, athrow_made}
OVER = {made_before_the_end, aclose_made_when_closed, athrow_made_when_closed, athrow_made_when_ended}

SENDS = {"send None", "send None twice", "send value", "send value, None", "next", "iterate"}
VALUES = {"send value", "send value, None"}
AWAITS = {"await", "await twice", "drive"}
CLOSES = {"close", "close twice", "close, send"}

# Why, what is done, and in which states.
ON_PURPOSE: list[tuple[str, set[str], set[State]]] = [
    ("what waits is resumed when it was woken, not before", SENDS, PENDING),
    ("what waits is resumed when it was woken, not before", {"send None twice"}, TO_WAIT),
    ("what waits is resumed when it was woken, not before", {"send value, None"}, TO_WAIT - {made}),
    ("what waits is resumed when it was woken, not before", AWAITS, PENDING),
    ("what waits is resumed when it was woken, not before", {"await twice"}, TO_WAIT),
    (
        "a value sent to aclose() or athrow() is a TypeError, and nothing else",
        VALUES,
        TO_CLOSE | TO_THROW | SECOND - {second_made},
    ),
    ("StopIteration never comes out: as a value it would be lost", {"throw StopIteration"}, (NOT_BEGUN | OVER) - {new}),
    ("StopIteration never comes out: as a value it would be lost", {"athrow StopIteration"}, NOT_BEGUN),
    ("what is thrown into aclose() comes out", {"throw GeneratorExit"}, TO_CLOSE),
    ("what is thrown into aclose() comes out", {"throw StopAsyncIteration"}, TO_CLOSE - {aclose_made_while_suspended}),
]


def is_on_purpose(state: State, action: str) -> bool:
    """Whether ours is to differ from the newest Python's."""
    return any(action in actions and state in states for _, actions, states in ON_PURPOSE)


def is_older(state: State, action: str) -> bool:
    """Whether this Python's answer is not the newest's."""
    if sys.version_info >= (3, 13):
        return False
    return (
        action in CLOSES
        or action == "throw instance twice"
        or (state in SECOND and (action.startswith("throw") or "twice" in action or action in VALUES))
        or state is step_closed_while_pending
        or (sys.version_info < (3, 12) and action.endswith(("StopIteration", "StopAsyncIteration")))
    )


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_generator_answers_as_one_of_python_does(state: State, loop_errors: list[Any]) -> None:
    async def main() -> None:
        sys.set_asyncgen_hooks(None, None)  # what is left in the middle is dropped, not closed by a task
        probe = theirs()
        await state(probe)
        actions = {**ON_GENERATOR, **(ON_HELD if probe.held else {})}
        probe.drop()
        for name, action in actions.items():
            if is_older(state, name):
                continue
            found, expected = await outcomes(ours(), state, action), await outcomes(theirs(), state, action)
            if is_on_purpose(state, name):
                assert found != expected or sys.version_info < (3, 13), f"{name}: the table is out of date"
            else:
                assert found == expected, name

    run_kind("asyncio", loop_errors, main)
