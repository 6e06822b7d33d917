"""C awaits Python in place: send, throw and close go to the awaitable first, as with `await`."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import _cawait_test as t
from support.common import cancellation, ended, spawn, turn


async def as_python(awaitable: Any) -> Any:
    return await awaitable


# --- cancellation ---


def test_cancellation_runs_the_awaitables_own_handlers_before_the_task_goes_on(run: Callable[..., Any]) -> None:
    async def main() -> None:
        events: list[str] = []
        op = t.Op(on_cancel="resolves")

        async def careful() -> None:
            try:
                await op.wait()
            except cancellation():
                events.append("except")
                raise
            finally:
                events.append("finally")

        async def outer() -> None:
            try:
                await t.await_(careful())
            finally:
                events.append("outer")

        task = spawn(outer())
        while not op.started:
            await turn()
        task.cancel()
        assert await ended(task) == "cancelled"
        assert events == ["except", "finally", "outer"] and op.freed == 1

    run(main)


def test_cancellation_that_the_awaitable_takes_is_over(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")

        async def stubborn() -> str:
            try:
                await op.wait()
            except cancellation():
                await turn()
            return "value"

        task = spawn(t.in_turn([stubborn(), t.ready(2)]))
        while not op.started:
            await turn()
        task.cancel()
        assert await ended(task) == ["value", 2]

    run_asyncio(main)


def test_cancel_message_comes_through(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")

        async def outer() -> tuple[Any, ...]:
            try:
                await t.await_(as_python(t.await_(op.wait())))
            except cancellation() as error:
                return error.args
            return ()

        task = spawn(outer())
        while not op.started:
            await turn()
        task.cancel("the message")
        assert await ended(task) == ("the message",)

    run_asyncio(main)


def test_future_cleans_up_after_a_cancellation_and_it_is_raised(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")
        task = spawn(t.in_turn([as_python(op.wait()), op], on_error="cleanup"))
        while not op.started:
            await turn()
        task.cancel()
        assert await ended(task) == "cancelled"

    run(main)


# --- the protocol, compared with Python's own ---

ACTIONS = st.sampled_from(["send", "send value", "throw", "throw taken", "close", "StopIteration", "cancel"])
STEPS = st.lists(st.sampled_from(["yield", "try", "taken", "return", "raise", "yield in finally"]), max_size=5)


class Taken(Exception):
    """The exception that the awaitable handles."""


class Raised(Exception):
    """The exception that the awaitable raises."""


@types.coroutine
def give(item: Any) -> Iterator[Any]:
    return (yield item)


async def scripted(steps: list[str], log: list[Any]) -> str:
    for number, step in enumerate(steps):
        try:
            if step in ("yield", "try", "taken"):
                log.append(("sent", await give((number, step))))
            elif step == "return":
                return "returned"
            elif step == "raise":
                raise Raised(number)
        except Taken as error:
            log.append(("took", error.args))
            if step != "taken":
                raise
        finally:
            log.append(("finally", number))
            if step == "yield in finally":
                await give("late")
    return "end"


def outcome_of(act: Callable[[], Any]) -> Any:
    try:
        return "yielded", act()
    except StopIteration as stop:
        return "returned", stop.value
    except BaseException as error:
        return "raised", type(error), str(error)


def play(coroutine: Any, actions: list[str]) -> list[Any]:
    """Do all actions, and return their outcomes."""
    outcomes = []
    for action in actions:
        outcomes.append(
            outcome_of(
                {
                    "send": lambda: coroutine.send(None),
                    "send value": lambda: coroutine.send("value"),
                    "throw": lambda: coroutine.throw(ZeroDivisionError("thrown")),
                    "throw taken": lambda: coroutine.throw(Taken("thrown")),
                    "close": coroutine.close,
                    "StopIteration": lambda: coroutine.throw(StopIteration(4)),
                    "cancel": lambda: coroutine.throw(GeneratorExit),
                }[action]
            )
        )
    outcomes.append(outcome_of(coroutine.close))
    return outcomes


WRAPPINGS: dict[str, Callable[[Any], Any]] = {
    "one": t.await_,
    "iterator": lambda coroutine: t.await_(coroutine.__await__()),
    "in turn": lambda coroutine: as_python(first_of(coroutine)),
    "three": lambda coroutine: t.await_(t.await_(t.await_(coroutine))),
    "Python between": lambda coroutine: t.await_(as_python(t.await_(coroutine))),
}


async def first_of(coroutine: Any) -> Any:
    return (await t.in_turn([coroutine]))[0]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("wrapping", WRAPPINGS)
@hypothesis.settings(max_examples=300, deadline=None, database=None)
@hypothesis.given(steps=STEPS, actions=st.lists(ACTIONS, max_size=7))
def test_every_way_to_drive_it_does_what_python_does(wrapping: str, steps: list[str], actions: list[str]) -> None:
    actions = ["send", *actions]  # before the first step nothing reaches the awaitable
    expected_log: list[Any] = []
    expected = play(as_python(scripted(steps, expected_log)), actions)
    log: list[Any] = []
    outcomes = play(WRAPPINGS[wrapping](scripted(steps, log)), actions)
    assert (outcomes, log) == (expected, expected_log)
