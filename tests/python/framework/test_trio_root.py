"""On trio: a native coroutine that is a whole task, or begins in a scope that is cancelled, as an `async def` would."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import trio
import trio.testing

import _cawait_test as t

protected = trio.lowlevel.currently_ki_protected


@contextlib.contextmanager
def python_handles_sigint() -> Iterator[None]:
    """Ctrl-C is Python's own business, as it is where pytest does not run: trio takes it over only then."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def asks() -> bool:
    return protected()


async def asks_after_waiting() -> bool:
    await trio.sleep(0)
    return protected()


async def asks_deep() -> bool:
    return await t.await_(asks_after_waiting())


async def asks_in_a_loop() -> bool:
    async def items() -> Any:
        yield protected()
        await trio.sleep(0)
        yield protected()

    return any([item async for item in items()])


QUESTIONS = {"at once": asks, "later": asks_after_waiting, "deep": asks_deep, "in a loop": asks_in_a_loop}


# --- Ctrl-C ---


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_python_code_under_a_native_task_is_not_protected_from_ctrl_c(
    question: Callable[[], Coroutine[Any, Any, bool]],
) -> None:
    async def main() -> None:
        answers = []

        def native_task() -> Any:
            return t.await_(keep())

        async def keep() -> None:
            answers.append(await question())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(native_task)
        assert answers == [False]

    trio.run(main)
    assert trio.run(lambda: t.await_(question())) is False


def test_callable_that_a_poll_calls_is_not_protected_from_ctrl_c() -> None:
    answers: list[bool] = []
    trio.run(lambda: t.call_in_poll(lambda: answers.append(protected()) or True))
    assert answers == [False]


def test_system_task_that_is_native_is_protected_from_ctrl_c() -> None:
    async def main() -> None:
        answers = []

        async def keep() -> None:
            answers.append(await asks_after_waiting())

        trio.lowlevel.spawn_system_task(lambda: t.await_(keep()), name="native")
        await trio.testing.wait_all_tasks_blocked()
        assert answers == [True]

    trio.run(main)


def test_protection_that_a_function_asks_for_holds_under_a_native_task() -> None:
    @trio.lowlevel.enable_ki_protection
    async def guarded() -> tuple[bool, bool]:
        return protected(), await trio.lowlevel.disable_ki_protection(asks)()

    assert trio.run(lambda: t.await_(guarded())) == (True, False)


def test_ctrl_c_interrupts_the_python_code_that_a_native_main_task_awaits() -> None:
    async def busy() -> str:
        try:
            signal.raise_signal(signal.SIGINT)
            for _ in range(1000):
                pass
        except KeyboardInterrupt:
            return "interrupted"
        return "not interrupted"

    with python_handles_sigint():
        assert trio.run(lambda: t.await_(busy())) == "interrupted"


def test_frame_of_a_native_task_names_its_function_unless_it_runs() -> None:
    async def main() -> None:
        seen = []

        async def look() -> None:
            seen.append(trio.lowlevel.current_task().coro.cr_frame)
            await trio.sleep(0)

        native = t.await_(look())
        assert native.cr_frame.f_code.co_name == "await_"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: native)
            await trio.sleep(0)
            await trio.sleep(0)
        assert [frame.f_code.co_name for frame in seen] == ["look"]
        assert native.cr_frame is None

    trio.run(main)


def test_native_task_of_asyncio_has_its_own_frame_while_it_runs() -> None:
    async def look() -> str:
        task = asyncio.current_task()
        assert task
        return str(task.get_coro().cr_frame.f_code.co_name)  # type: ignore[union-attr]

    async def main() -> None:
        assert await asyncio.ensure_future(t.await_(look())) == "await_"

    asyncio.run(main())
