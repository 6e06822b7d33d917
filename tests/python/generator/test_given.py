"""What asend() and athrow() give reaches the Python generator that a native one is around, and an author's stream."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import _cawait_test as t
from support.children.asan import ASAN
from support.common import cancellation, cancelled, settle, sleep, started, turn
from support.iterables import iterator_class

Run = Callable[..., Any]

RELAYS = {
    name: getattr(t, name)
    for name in (
        "relay",
        "relay_inside",
        "relay_around",
        "relay_without_gil",
        "relay_lists",
    )
}
each_relay = pytest.mark.parametrize("relay", [relay for name, relay in RELAYS.items() if name != "relay_lists"])

settings = hypothesis.settings(
    max_examples=30 if ASAN else 100,
    deadline=None,
    database=None,
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)


async def items(generator: Any) -> list[Any]:
    """All of them."""
    return [item async for item in generator]


# --- any generator of Python, and the same with a native one around it ---


class Replaced(Exception):
    """What a program raises in place of what was thrown in."""


async def program(script: list[tuple[str, bool]], log: list[Any]) -> AsyncIterator[int]:
    """Does what the script says: at each yield, what to do with an exception, and whether to suspend in between."""
    try:
        for n, (reaction, waits) in enumerate(script):
            if waits:
                await turn()
            if reaction == "raise":
                raise Replaced(n)
            try:
                log.append(("got", (yield n)))
                continue
            except BaseException as error:
                log.append((type(error), str(error)))
                if waits:
                    await turn()
                if reaction == "again" or (isinstance(error, GeneratorExit) and reaction in ("on", "yield")):
                    raise
                if reaction == "replace":
                    raise Replaced(n) from error
            if reaction == "return":
                return
            if reaction == "yield":
                log.append(("got in a handler", (yield -n)))
    finally:
        await turn()
        log.append("end")


THROWN = {
    "KeyError": lambda: KeyError("k"),
    "StopIteration": lambda: StopIteration(1),
    "StopAsyncIteration": lambda: StopAsyncIteration(2),
    "GeneratorExit": lambda: GeneratorExit("g"),
    "RuntimeError": lambda: RuntimeError("r"),
}
# Where it has not begun, or is over, ours differs: test_protocol.py says why. A CPython with Py_DEBUG takes
# StopAsyncIteration out of a generator of its own that has not begun for a fault of its own, and aborts.
ABORTS = hasattr(sys, "gettotalrefcount")
DIFFER = ["StopIteration", "StopAsyncIteration"] if ABORTS or sys.version_info < (3, 12) else ["StopIteration"]
REACTIONS = ["again", "again", "replace", "return", "yield", "on", "on", "raise"]
SCRIPTS = st.lists(st.tuples(st.sampled_from(REACTIONS), st.booleans()), max_size=8)
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("__anext__")),
        st.tuples(st.just("asend"), st.sampled_from([None, 7, "value"])),
        st.tuples(st.just("asend"), st.sampled_from([8, "other"])),
        st.tuples(st.just("athrow"), st.sampled_from(list(THROWN))),
        st.tuples(st.just("aclose")),
    ),
    max_size=8,
)


async def outcome(generator: Any, name: str, *args: Any) -> Any:
    """How a call ends, and whether what it raises is what was thrown in."""
    given = [THROWN[arg]() if name == "athrow" else arg for arg in args]
    try:
        return "value", await getattr(generator, name)(*given)
    except (Exception, GeneratorExit) as error:
        return type(error), str(error), bool(given) and error is given[0]


async def play(
    relay: Callable[[Any], Any],
    script: list[tuple[str, bool]],
    calls: list[tuple[str, ...]],
) -> None:
    ours: list[Any] = []
    theirs: list[Any] = []
    native, own = relay(program(script, ours)), program(script, theirs)
    for n, call in enumerate(calls):
        if call[-1] in DIFFER and (n == 0 or not own.ag_frame or not theirs):
            continue
        found, expected = await outcome(native, *call), await outcome(own, *call)
        assert found == expected, (n, call, ours, theirs)
        assert ours == theirs, (n, call)
    for generator in (native, own):
        with contextlib.suppress(Replaced):
            await generator.aclose()


@pytest.mark.parametrize("relay", [t.relay, t.relay_inside])
@settings
@hypothesis.given(SCRIPTS, CALLS)
def test_native_generator_answers_as_the_one_that_it_is_around(
    run: Run,
    relay: Callable[[Any], Any],
    script: list[tuple[str, bool]],
    calls: list[tuple[str, ...]],
) -> None:
    run(play, relay, script, calls)


# --- contextlib ---


async def enter_and_leave(manager: Any, raises: BaseException | None, log: list[Any]) -> Any:
    """How a block ends that raises this."""
    try:
        async with manager as value:
            log.append(value)
            if raises:
                raise raises
    except BaseException as error:
        return error
    return None


def manager(relay: Callable[[Any], Any], reaction: str, log: list[Any]) -> Any:
    @contextlib.asynccontextmanager
    def make() -> Any:
        async def block() -> AsyncIterator[str]:
            await turn()
            try:
                yield "entered"
                log.append("left")
            except BaseException as error:
                log.append(error)
                await turn()
                if reaction == "replace":
                    raise Replaced from error
                if reaction != "suppress":
                    raise
            finally:
                await turn()
                log.append("cleaned")
            if reaction == "twice":
                yield "again"

        return relay(block())

    return make()


RAISED = [
    KeyError("k"),
    StopAsyncIteration(1),
    StopIteration(2),
    RuntimeError("r"),
    GeneratorExit(),
    SystemError(),
]


@each_relay
@pytest.mark.parametrize("reaction", ["raise", "replace", "suppress"])
@pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
def test_context_manager_sees_what_its_block_raises(
    run: Run, relay: Callable[[Any], Any], reaction: str, raised: BaseException
) -> None:
    async def main() -> None:
        seen = []
        for around in (relay, lambda generator: generator):
            log: list[Any] = []
            how = await enter_and_leave(manager(around, reaction, log), raised, log)
            assert log == ["entered", raised, "cleaned"]
            seen.append((how is raised, type(how), type(how.__cause__) if how else None))
        assert seen[0] == seen[1]

    run(main)


@each_relay
def test_context_manager_is_entered_and_left(run: Run, relay: Callable[[Any], Any]) -> None:
    async def main() -> None:
        log: list[Any] = []
        assert await enter_and_leave(manager(relay, "raise", log), None, log) is None
        assert log == ["entered", "left", "cleaned"]
        assert str(await enter_and_leave(manager(relay, "twice", log), None, log)) == "generator didn't stop"
        gc.collect()
        await settle()

    run(main)


@each_relay
def test_cancel_of_a_block_reaches_the_context_manager(run: Run, relay: Callable[[Any], Any]) -> None:
    async def main() -> None:
        log: list[Any] = []

        async def block() -> AsyncIterator[int]:
            try:
                yield 1
            except BaseException as error:
                log.append(type(error))
                raise

        async def user() -> None:
            async with contextlib.asynccontextmanager(lambda: relay(block()))():
                await sleep(60)

        await cancelled(await started(user()))
        assert log == [cancellation()]

    run(main)


# --- one by one ---


@each_relay
def test_value_is_that_of_the_yield(run: Run, relay: Callable[[Any], Any]) -> None:
    async def main() -> None:
        seen: list[Any] = []

        async def source() -> AsyncIterator[int]:
            for n in range(4):
                if n == 1:
                    await turn()
                seen.append((yield n))

        generator = relay(source())
        with pytest.raises(TypeError, match="just-started"):
            await generator.asend(5)
        assert [
            await anext(generator),
            await generator.asend("a"),
            await generator.asend(None),
        ] == [0, 1, 2]
        step = generator.__anext__()
        with pytest.raises(StopIteration, match="3"):  # sent before it begins: as by asend()
            step.send("b")
        assert seen == ["a", None, "b"]
        await generator.aclose()

    run(main)


def test_lists_around_python_take_both(run: Run) -> None:
    async def main() -> None:
        seen: list[Any] = []

        async def source() -> AsyncIterator[int]:
            for n in range(4):
                try:
                    seen.append((yield n))
                except KeyError as error:
                    seen.append(error.args)

        generator = t.relay_lists(source())
        assert [
            await anext(generator),
            await generator.asend(1),
            await generator.athrow(KeyError(2)),
        ] == [[0], [1], [2]]
        assert seen == [1, (2,)]
        await generator.aclose()

    run(main)


def test_native_generators_around_each_other_pass_both_on(run: Run) -> None:
    async def main() -> None:
        seen: list[Any] = []

        async def source() -> AsyncIterator[int]:
            for n in range(4):
                try:
                    seen.append((yield n))
                except KeyError as error:
                    seen.append(error.args)

        generator = t.relay(t.relay(t.relay_inside(source())))
        assert [
            await anext(generator),
            await generator.asend(1),
            await generator.athrow(KeyError(2)),
        ] == [0, 1, 2]
        assert seen == [1, (2,)]
        await generator.aclose()
        assert await items(generator) == []

    run(main)


def test_generator_that_ignores_its_end_is_an_error_as_always(run: Run) -> None:
    async def main() -> None:
        over = False

        async def source() -> AsyncIterator[int]:
            while not over:
                try:
                    yield 1
                except GeneratorExit:
                    if over:
                        raise

        own = source()
        generator = t.relay(own)
        assert [await anext(generator), await generator.athrow(GeneratorExit())] == [1, 1]
        with pytest.raises(RuntimeError, match="async generator ignored GeneratorExit"):
            await generator.aclose()
        over = True
        assert await items(generator) == []

    run(main)


def test_iterator_without_these_methods_is_as_before(run: Run) -> None:
    async def main() -> None:
        async def source() -> AsyncIterator[int]:
            for n in range(4):
                yield n

        generator = t.relay(iterator_class(source()))
        assert [await anext(generator), await generator.asend(1)] == [0, 1]
        with pytest.raises(KeyError):
            await generator.athrow(KeyError())
        assert await items(generator) == []

    run(main)


def test_iterable_that_runs_as_a_task_is_ended_by_athrow(run: Run) -> None:
    """It is ahead of what would be answered."""

    async def main() -> None:
        seen: list[Any] = []

        async def source() -> AsyncIterator[int]:
            for n in range(10):
                seen.append((yield n))

        generator = t.relay_posted(source(), 1)
        assert [await anext(generator), await generator.asend(1)] == [0, 1]
        with pytest.raises(KeyError):
            await generator.athrow(KeyError())
        assert await items(generator) == [] and set(seen) == {None}

    run(main)


def test_athrow_that_is_cancelled_while_python_handles_it_ends_it(run: Run) -> None:
    async def main() -> None:
        log: list[Any] = []

        async def source() -> AsyncIterator[int]:
            try:
                yield 1
            except KeyError:
                try:
                    await sleep(60)
                except BaseException as error:
                    log.append(type(error))
                    raise

        generator = t.relay(source())
        assert await anext(generator) == 1
        await cancelled(await started(generator.athrow(KeyError())))
        assert log == [cancellation()]
        assert not generator.ag_running and await items(generator) == []

    run(main)


# --- an author's stream ---


def test_stream_of_an_author_takes_values(run: Run) -> None:
    async def main() -> None:
        generator = t.numbers_told(1000)
        assert [
            await anext(generator),
            await generator.asend(7),
            await generator.asend(None),
        ] == [0, 7, 8]
        with pytest.raises(TypeError):
            await generator.asend("no number")
        assert await items(generator) == []

    run(main)


def test_stream_of_an_author_takes_exceptions_or_ends(run: Run) -> None:
    async def main() -> None:
        new = t.numbers_told(1000)
        with pytest.raises(LookupError):
            await new.athrow(LookupError())
        for thrown, raised in (
            (ValueError(), KeyError),
            (OSError(), OSError),
            (GeneratorExit(), GeneratorExit),
        ):
            generator = t.numbers_told(102)
            assert [
                await anext(generator),
                await generator.athrow(LookupError()),
                await anext(generator),
            ] == [0, 100, 101]
            with pytest.raises(raised) as error:
                await generator.athrow(thrown)
            assert (error.value is thrown) == (raised is not KeyError)
            assert await items(generator) == []
        generator = t.numbers_told(100)
        assert await anext(generator) == 0
        with pytest.raises(StopAsyncIteration):
            await generator.athrow(LookupError())

    run(main)


def test_stream_that_takes_neither_is_as_before(run: Run) -> None:
    async def main() -> None:
        generator = t.numbers(10)
        assert [await anext(generator), await generator.asend(7)] == [0, 1]
        with pytest.raises(KeyError):
            await generator.athrow(KeyError())
        assert await items(generator) == []

    run(main)
