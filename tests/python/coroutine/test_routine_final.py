"""Async functions in C whose parts call Python: what becomes of an exception in the final part, and of one before it.

The extension's function `finishes`, and its generator `gives`, call what they are given. Where one of these calls finds
an exception set already, that is reported as unraisable, and the test fails.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import ended, settle, started, suspended, turn

Run = Callable[..., Any]


class Calls:
    """Functions to give, and which of them were called."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def notes(self, what: str, result: Any = None) -> Callable[[], Any]:
        def note() -> Any:
            self.log.append(what)
            return result

        return note

    def raises(self, error: BaseException) -> Callable[[], Any]:
        def fail() -> Any:
            self.log.append(type(error).__name__)
            raise error

        return fail

    def waits(self, turns: int = 1, error: BaseException | None = None) -> Callable[[], Any]:
        async def wait() -> None:
            for _ in range(turns):
                await turn()
            self.log.append("waited")
            if error:
                raise error

        return wait


# --- given up in the middle ---


@pytest.mark.parametrize("end", ["close", "collect", "throw"])
@pytest.mark.parametrize("begun", [True, False], ids=["begun", "unbegun"])
def test_exception_of_a_final_part_that_must_not_wait_is_nobodys(run: Run, end: str, begun: bool) -> None:
    async def main() -> None:
        calls = Calls()
        final_tries = (calls.raises(KeyError()), calls.notes("on"))
        final_makes = (calls.raises(OSError()), calls.raises(ValueError()))
        here, there = socket.socketpair()
        coroutine = t.finishes(fd=here.fileno(), final_tries=final_tries, final_makes=final_makes)
        if begun:
            coroutine = await suspended(coroutine)
        if end == "throw":
            with pytest.raises(LookupError, match="thrown"):
                coroutine.throw(LookupError("thrown"))
        elif end == "close":
            coroutine.close()
        elif not begun:
            with pytest.warns(RuntimeWarning, match="never awaited"):
                coroutine = None
        del coroutine
        gc.collect()
        assert calls.log == ["KeyError", "on", "OSError", "ValueError"]
        here.close()
        there.close()

    run(main)


@pytest.mark.parametrize("end", ["aclose", "athrow", "collect", "step closed", "collected in a cycle"])
def test_exception_of_a_generators_final_part_is_nobodys_where_it_is_given_up(run: Run, end: str) -> None:
    async def main() -> None:
        calls = Calls()
        items = (calls.notes("one", 1), calls.notes("two", 2))
        generator = t.gives(yields=items, final_makes=(calls.raises(OSError()), calls.raises(KeyError())))
        assert await anext(generator) == 1
        if end == "aclose":
            await generator.aclose()
        elif end == "athrow":
            with pytest.raises(LookupError, match="thrown"):
                await generator.athrow(LookupError("thrown"))
        elif end == "step closed":
            generator.__anext__().close()
        elif end == "collected in a cycle":
            cycle: list[Any] = [generator]
            cycle.append(cycle)
            del cycle
        del generator
        gc.collect()
        assert calls.log == ["one", "OSError", "KeyError"]

    run(main)


def test_exception_of_a_child_that_is_dropped_in_a_poll_is_not_its_parents(run: Run) -> None:
    async def main() -> None:
        calls = Calls()
        final = (calls.raises(KeyError()), calls.raises(OSError()))
        await t.drops(makes=(calls.waits(),), final_makes=final)
        assert calls.log == ["KeyError", "OSError", "waited"]
        await t.drops(final_makes=final)
        error = LookupError()
        with pytest.raises(LookupError) as raised:
            await t.drops(makes=(calls.waits(0), calls.raises(error)), final_makes=final)
        assert raised.value is error and error.__context__ is None

    run(main)


# --- an error of the body, and then the final part ---


def parts(calls: Calls, *, turns: int) -> dict[str, dict[str, Any]]:
    """Final parts that do something, and fail."""
    return {
        "calls": {"final_tries": (calls.notes("called"),)},
        "awaits": {"final_makes": (calls.waits(turns), calls.waits(turns))},
        "raises": {"final_tries": (calls.raises(KeyError()), calls.notes("called"))},
        "cannot make": {"final_makes": (calls.raises(KeyError()), calls.waits(turns))},
        "awaits what raises": {"final_makes": (calls.waits(turns, KeyError()), calls.waits(turns))},
        "all": {
            "final_tries": (calls.raises(KeyError()), calls.raises(OSError())),
            "final_makes": (calls.waits(turns), calls.raises(KeyError()), calls.waits(turns, OSError())),
        },
    }


@pytest.mark.parametrize("turns", [0, 2])
@pytest.mark.parametrize("final", list(parts(Calls(), turns=0)))
@pytest.mark.parametrize("how", ["tries", "returns", "makes", "awaits"])
def test_exception_of_the_body_is_raised_whatever_the_final_part_does(
    run: Run, how: str, final: str, turns: int
) -> None:
    async def main() -> None:
        calls, error = Calls(), LookupError("it")
        fails: dict[str, Any] = {"makes": (calls.waits(turns, error) if how == "awaits" else calls.raises(error),)}
        if how in ("tries", "returns"):
            fails = {"tries": (calls.raises(error), calls.notes("no more")), "returns": how == "returns"}
        with pytest.raises(LookupError) as raised:
            await t.finishes(**fails, **parts(calls, turns=turns)[final])
        assert raised.value is error and error.__context__ is None
        assert len(calls.log) > 1

    run(main)


@pytest.mark.parametrize("turns", [0, 2])
def test_first_exception_of_the_final_part_is_raised_where_the_body_has_none(run: Run, turns: int) -> None:
    async def main() -> None:
        calls = Calls()
        for name, part in parts(calls, turns=turns).items():
            if name in ("calls", "awaits"):
                await t.finishes(tries=(calls.notes("body"),), **part)
            else:
                with pytest.raises(KeyError):
                    await t.finishes(tries=(calls.notes("body"),), **part)
        error = KeyError("first")
        makes = (calls.waits(turns), calls.raises(error), calls.waits(turns, OSError()), calls.raises(ValueError()))
        with pytest.raises(KeyError) as raised:
            await t.finishes(final_makes=makes)
        assert raised.value is error
        with pytest.raises(KeyError) as raised:
            await t.finishes(final_tries=(calls.raises(error),), final_makes=makes, final_returns=True)
        assert raised.value is error

    run(main)


# --- cancellations ---


@pytest.mark.parametrize("returns", [False, True], ids=["", "returned"])
@pytest.mark.parametrize("how", ["tries", "makes", "final_tries", "final_makes"])
def test_cancellation_that_a_call_raises_is_raised_itself(run_asyncio: Run, how: str, returns: bool) -> None:
    async def main() -> None:
        calls, error = Calls(), asyncio.CancelledError("mine")
        no_more = how == "final_makes" or (how == "final_tries" and returns)
        others: dict[str, Any] = {} if no_more else {"final_makes": (calls.waits(), calls.waits(0))}
        with pytest.raises(asyncio.CancelledError) as raised:
            await t.finishes(**{how: (calls.raises(error),)}, **others, returns=returns, final_returns=returns)
        assert raised.value is error
        assert calls.log == ["CancelledError", *(["waited"] * 2 if others else [])]

    run_asyncio(main)


@pytest.mark.parametrize("items", [False, True], ids=["await", "yield"])
def test_cancelled_body_drops_the_exception_of_what_it_cannot_make(run: Run, items: bool) -> None:
    """What it waits for takes no cancel, so it goes on, up to the next await or yield."""

    async def main() -> None:
        calls, (here, there) = Calls(), socket.socketpair()
        makes = (calls.raises(KeyError()), calls.notes("no more"))
        final = {"final_makes": (calls.waits(0), calls.waits(0))}
        generator = t.gives(fd=here.fileno(), yields=makes, **final) if items else None
        task = await started(generator.__anext__() if generator else t.finishes(fd=here.fileno(), makes=makes, **final))
        task.cancel()
        await settle()
        there.send(b"1")
        assert await ended(task) == "cancelled"
        assert calls.log == ["KeyError", "waited", "waited"]
        if generator:
            assert [item async for item in generator] == []
        here.close()
        there.close()

    run(main)


# --- generators ---


@pytest.mark.parametrize("final", [None, "raises", "waits"])
def test_item_of_the_final_part_comes_before_the_exception_of_the_body(run: Run, final: str | None) -> None:
    async def main() -> None:
        calls, error = Calls(), LookupError("it")
        makes = {"raises": (calls.raises(KeyError()),), "waits": (calls.waits(2, KeyError()), calls.waits(0)), None: ()}
        yields = (calls.notes("two", 2), calls.notes("three", 3))
        body = {"yields": (calls.notes("one", 1),), "tries": (calls.raises(error),)}
        generator = t.gives(**body, final_makes=makes[final], final_yields=yields)
        items = []
        with pytest.raises(LookupError) as raised:
            async for item in generator:
                items.append(item)
                await turn()
        assert items == [1, 2, 3] and raised.value is error
        with pytest.raises(StopAsyncIteration):
            await anext(generator)

    run(main)


def test_item_that_cannot_be_made_is_its_exception(run: Run) -> None:
    async def main() -> None:
        calls, error = Calls(), LookupError("it")
        generator = t.gives(yields=(calls.notes("one", 1), calls.raises(error)), final_makes=(calls.waits(),))
        assert await anext(generator) == 1
        with pytest.raises(LookupError) as raised:
            await anext(generator)
        assert raised.value is error and calls.log == ["one", "LookupError", "waited"]
        generator = t.gives(final_yields=(calls.raises(error), calls.notes("two", 2)))
        assert await anext(generator) == 2
        with pytest.raises(LookupError) as raised:
            await anext(generator)
        assert raised.value is error

    run(main)
