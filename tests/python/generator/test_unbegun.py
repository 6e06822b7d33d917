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


def test_exception_thrown_into_a_step_of_a_closed_generator_comes_out(run: Run) -> None:
    """Also where it was closed in the middle, by a step that had not begun."""

    async def main() -> None:
        ended: list[str] = []

        async def source() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                ended.append("end")

        for generator in (t.relay(source()), t.numbers_told(9)):
            await anext(generator)
            generator.__anext__().close()
            error = KeyError()
            with pytest.raises(KeyError) as raised:
                generator.asend(2).throw(error)
            assert raised.value is error and await items(generator) == []
        await until(lambda: ended)  # a task of the loop ends it

    run(main)


class Called(LookupError):
    """An exception that the stream takes, after it has called a function."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function

    def __call__(self) -> None:
        self.function()


def test_step_is_running_while_the_stream_takes_an_exception(run: Run) -> None:
    """What the author's function calls may touch the step and the generator, and is refused."""

    async def main() -> None:
        log: list[str] = []
        generator = t.numbers_told(200)

        def inside() -> None:
            assert generator.ag_running and step.cr_running
            for resume in (step.send, step.throw):
                with pytest.raises(ValueError, match="already executing"):
                    resume(KeyError() if resume == step.throw else None)
            with pytest.raises(ValueError, match="already executing"):
                step.close()
            others = (generator.__anext__(), generator.asend(3), generator.athrow(KeyError()), generator.aclose())
            for other in others:
                with pytest.raises(RuntimeError, match="is already running"):
                    other.send(None)
            other = generator.__anext__()
            with pytest.raises(RuntimeError, match="is already running"):
                other.throw(KeyError())
            log.append("inside")

        assert await anext(generator) == 0
        step = generator.asend(7)
        with pytest.raises(StopIteration) as stop:
            step.throw(Called(inside))
        assert stop.value.value == 100 and log == ["inside"]
        assert [await anext(generator), await generator.athrow(LookupError())] == [101, 100]
        assert not generator.ag_running
        await generator.aclose()

    run(main)


def test_step_that_fails_while_the_stream_takes_an_exception_ends_the_generator(run: Run) -> None:
    async def main() -> None:
        def inside() -> None:
            raise Replaced

        generator = t.numbers_told(200)
        assert await anext(generator) == 0
        step = generator.__anext__()
        with pytest.raises(Replaced):
            step.throw(Called(inside))
        assert not generator.ag_running and await items(generator) == []

    run(main)
