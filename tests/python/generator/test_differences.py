"""Where async generators made in C differ from Python's, of this version or of older ones; see test_protocol.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.frameworks import run_kind
from support.generator_states import made_while_suspended, pending, second_made, suspended
from support.twin import Side, attempt, make_and_step, ours, step


def by_hand(test: Callable[[Side], Awaitable[None]]) -> Callable[[list[Any]], None]:
    """A test with a generator made in C, on a loop."""

    def run_it(loop_errors: list[Any]) -> None:
        async def main() -> None:
            side = ours()
            await test(side)
            side.drop()

        run_kind("asyncio", loop_errors, main)

    run_it.__name__ = test.__name__
    return run_it


three_arguments = pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature:DeprecationWarning")


@by_hand
async def test_step_that_waits_is_not_resumed_before_its_item(side: Side) -> None:
    await pending(side)
    for way in (
        side.held.__next__,
        lambda: side.held.send(None),
        lambda: side.held.send(1),
        lambda: next(side.held.__await__()),
    ):
        assert attempt(way) == (RuntimeError, "coroutine is being awaited already")
    await side.put(5)
    assert step(side.held) == ("value", 5)


@three_arguments
@by_hand
async def test_bad_call_of_throw_leaves_the_step_as_it_is(side: Side) -> None:
    await pending(side)
    for arguments in ((), (1,), (int,), (KeyError, "k", "no traceback"), (KeyError("k"), "value")):
        assert attempt(side.held.throw, *arguments)[0] is TypeError
    await side.put(5)
    assert step(side.held) == ("value", 5)


@three_arguments
@by_hand
async def test_bad_call_of_a_method_leaves_the_generator_as_it_is(side: Side) -> None:
    await suspended(side)
    for arguments in ((), (1,), (int,), (KeyError, "k", "no traceback"), (KeyError("k"), "value"), (KeyError, 1, 2, 3)):
        assert attempt(side.generator.athrow, *arguments)[0] is TypeError
    assert attempt(side.generator.asend)[0] is TypeError
    await side.put(5)
    assert make_and_step(side, "__anext__") == ("value", 5)


@by_hand
async def test_step_that_is_dropped_while_it_waits_ends_the_generator(side: Side) -> None:
    await pending(side)
    assert side.generator.ag_running
    side.held = None
    assert not side.generator.ag_running and side.cancelled == 1
    assert make_and_step(side, "__anext__")[0] is StopAsyncIteration


@pytest.mark.parametrize("name, value", [("aclose", ("value", None)), ("athrow", (KeyError, "'k'"))])
def test_value_sent_to_what_ends_the_generator_is_refused_and_no_more(
    name: str, value: Any, loop_errors: list[Any]
) -> None:
    async def main() -> None:
        side = ours()
        await suspended(side)
        side.held = getattr(side.generator, name)(*([KeyError("k")] if name == "athrow" else []))
        assert step(side.held, 1)[0] is TypeError
        assert step(side.held) == value

    run_kind("asyncio", loop_errors, main)


@by_hand
async def test_exception_that_replaces_a_stop_has_it_as_its_cause(side: Side) -> None:
    await suspended(side)
    stop = StopAsyncIteration(1)
    with pytest.raises(RuntimeError, match="async generator raised StopAsyncIteration") as raised:
        side.generator.athrow(stop).send(None)
    assert raised.value.__cause__ is stop


@by_hand
async def test_close_of_a_step_that_has_not_begun_ends_the_generator(side: Side) -> None:
    await made_while_suspended(side)
    assert attempt(side.held.close) == ("returned", None)
    assert side.cancelled == 1 and make_and_step(side, "__anext__")[0] is StopAsyncIteration


@by_hand
async def test_close_of_a_second_step_is_refused_and_leaves_the_first(side: Side) -> None:
    await second_made(side)
    assert attempt(side.held.close) == (RuntimeError, "anext(): asynchronous generator is already running")
    await side.put(5)
    assert step(side.stepped[0]) == ("value", 5)
