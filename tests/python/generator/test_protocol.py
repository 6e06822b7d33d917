"""Every method of an async generator behaves as Python's in every state.

Each case brings two generators into a state, the one made in C and its twin in Python (twin.py), does the same to both,
and compares the outcomes: what was returned or raised; then ag_running, whether cancel was called on the native side,
and the next item.

Python's behaviour has changed over the versions. Ours is that of 3.13, the newest that was examined:

    close() of an awaitable that has not begun                 ends the generator (before 3.13: leaves it)
    close() of one that is pending                             ends the generator (before: it is `running` for ever)
    throw(), close() of one while another one is pending       RuntimeError (before: thrown in, or nothing)
    a step that was refused because another one is pending     is used up (before: may be tried again)
    StopIteration, StopAsyncIteration thrown in                RuntimeError, PEP 479 (before 3.12: in part)

is_older() names the cases that are not compared because of that. ON_PURPOSE has those where ours differs from all
versions, and why.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from support.children.asan import PYDEBUG
from support.frameworks import run_kind
import _cawait_test as t
from support.generator_states import (
    NOT_BEGUN,
    OVER,
    PENDING,
    SECOND,
    STATES,
    TO_CLOSE,
    TO_THROW,
    TO_WAIT,
    State,
    aclose_made_while_suspended,
    made,
    new,
    second_made,
    step_closed_while_pending,
)
from support.twin import Side, attempt, make_and_step, ours, step, theirs

# --- actions ---

Action = Callable[[Side], Any]


def fresh(args: tuple[Any, ...]) -> list[Any]:
    """Arguments for one use: functions are called to make exceptions."""
    return [arg() if callable(arg) and not isinstance(arg, type) else arg for arg in args]


def on_generator(name: str, *args: Any) -> Action:
    """Make an awaitable and step it."""
    return lambda side: make_and_step(side, name, *fresh(args))


def on_held(name: str, *args: Any) -> Action:
    """Do it to the awaitable of the case."""
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


async def outcomes(side: Side, state: State, action: Action) -> list[Any]:
    """The outcome, and the state afterwards."""
    await state(side)
    began = [side.cancelled, side.generator.ag_running]
    came = action(side)
    now = side.generator.ag_running
    after = side.cancelled
    await side.put(99)
    following = make_and_step(side, "__anext__")
    return [*began, came, now, after, following, side.cancelled]


# --- differences ---

SENDS = {"send None", "send None twice", "send value", "send value, None", "next", "iterate"}
VALUES = {"send value", "send value, None"}
AWAITS = {"await", "await twice", "drive"}
CLOSES = {"close", "close twice", "close, send"}

# Why, what is done, and in which 
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
    """Whether ours differs on purpose from the newest Python's."""
    return any(action in actions and state in states for _, actions, states in ON_PURPOSE)


def is_older(state: State, action: str) -> bool:
    """Whether this Python behaves otherwise than the newest."""
    if sys.version_info >= (3, 13):
        return False
    return (
        action in CLOSES
        or action == "throw instance twice"
        or (state in SECOND and (action.startswith("throw") or "twice" in action or action in VALUES))
        or state is step_closed_while_pending
        or (sys.version_info < (3, 12) and action.endswith(("StopIteration", "StopAsyncIteration")))
    )


def aborts_python(action: str) -> bool:
    """Whether a debug build of CPython ends the process: by an assertion of gen_send_ex2 neither exception leaves an
    async generator, and where it has not begun, they do leave that of Python."""
    thrown = action.endswith(("throw StopIteration", "throw StopAsyncIteration"))
    return PYDEBUG and sys.version_info >= (3, 14) and thrown


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_generator_answers_as_one_of_python_does(state: State, loop_errors: list[Any]) -> None:
    async def main() -> None:
        sys.set_asyncgen_hooks(None, None)  # generators that are left in the middle are dropped, not closed by a task
        probe = theirs()
        await state(probe)
        actions = {**ON_GENERATOR, **(ON_HELD if probe.held else {})}
        probe.drop()
        for name, action in actions.items():
            if is_older(state, name) or aborts_python(name):
                continue
            found, expected = await outcomes(ours(), state, action), await outcomes(theirs(), state, action)
            if is_on_purpose(state, name):
                assert found != expected or sys.version_info < (3, 13), f"{name}: the table is out of date"
            else:
                assert found == expected, name

    run_kind("asyncio", loop_errors, main)


def test_stop_iteration_of_a_step_has_the_value_in_its_args(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for make in (lambda: t.numbers(3).__anext__(), lambda: t.numbers(3).asend(None)):
            for end in (lambda s: s.send(None), lambda s: s.__next__()):
                with pytest.raises(StopIteration) as stop:
                    end(make())
                assert (stop.value.args, stop.value.value) == ((0,), 0)

    run(main)
