"""Steps of a native generator around a Python one that are thrown into or closed before they begin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import until

Run = Callable[..., Any]

RELAYS = ["relay", "relay_inside", "relay_around", "relay_without_gil"]
each_relay = pytest.mark.parametrize("relay", [getattr(t, name) for name in RELAYS], ids=RELAYS)


class Replaced(Exception):
    """What a generator raises in place of what was thrown in."""


async def items(generator: Any) -> list[Any]:
    """All of them."""
    return [item async for item in generator]


@each_relay
def test_exception_thrown_into_a_step_that_has_not_begun_reaches_python(run: Run, relay: Any) -> None:
    """As with Python's own: the step gives what the generator yields then, or raises what it raises."""

    async def main() -> None:
        async def source() -> AsyncIterator[Any]:
            try:
                yield 1
            except KeyError as error:
                yield error.args
            try:
                yield 3
            finally:
                raise Replaced

        for made in (source(), relay(source())):
            assert await anext(made) == 1
            with pytest.raises(StopIteration) as stop:
                made.__anext__().throw(KeyError(2))
            assert stop.value.value == (2,)
            assert await anext(made) == 3
            with pytest.raises(Replaced):
                made.asend(None).throw(LookupError())
            assert await items(made) == []

    run(main)


def test_step_that_is_closed_before_it_begins_ends_no_python_generator_early(run: Run) -> None:
    async def main() -> None:
        seen: list[type[BaseException]] = []

        async def source() -> AsyncIterator[int]:
            try:
                yield 1
            except BaseException as error:
                seen.append(type(error))
                raise

        generator = t.relay(source())
        assert await anext(generator) == 1
        generator.__anext__().close()
        await generator.aclose()
        await until(lambda: seen)  # a task of the loop ends it
        assert seen == [GeneratorExit] and await items(generator) == []

    run(main)
