"""Threads that sleep in a call of the library, and would have to answer themselves: on the loop's own thread, with the
GIL or without it, or while they close the pool whose worker waits for the loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.children import command, run_command
from support.common import results, settle, spawn, turn, until

EDEADLOCK = t.errors()["CAW_EDEADLOCK"]
ETIMEDOUT = t.errors()["CAW_ETIMEDOUT"]
KINDS = ["call", "call in a scope", "await", "await in a scope", "stream", "bytes"]


async def answer() -> int:
    await turn()
    return 7


async def numbers() -> Any:
    yield 1
    yield 2


class Source:
    """A byte stream of asyncio and of anyio or trio."""

    async def read(self, n: int) -> bytes:
        await turn()
        return b"bytes"

    receive_some = read


MADE: dict[str, Callable[[], Any]] = {kind: answer for kind in KINDS} | {"stream": numbers, "bytes": Source}


@pytest.fixture(autouse=True)
def no_warnings(recwarn: pytest.WarningsRecorder) -> Any:
    """What never began is dropped without a warning."""
    yield
    gc.collect()
    assert not [str(w.message) for w in recwarn if "never awaited" in str(w.message)]


# --- on the loop's own thread ---


@pytest.mark.parametrize("gil", [True, False])
@pytest.mark.parametrize("limit", [0, 10**12])
@pytest.mark.parametrize("kind", KINDS)
def test_waiting_for_the_loop_of_this_very_thread_is_an_error_at_once(
    run: Callable[..., Any], kind: str, gil: bool, limit: int
) -> None:
    async def main() -> None:
        await t.sleep(0)  # the loop has a hub
        for _ in range(3):
            assert t.block_on(kind, MADE[kind], None, gil, limit) == EDEADLOCK
        await settle()
        assert await t.posted(answer()) == 7  # the loop goes on

    run(main)


@pytest.mark.parametrize("kind", KINDS)
def test_loop_that_was_never_waited_on_before_is_recognised_too(run: Callable[..., Any], kind: str) -> None:
    async def main() -> None:
        assert t.block_on(kind, MADE[kind], None, False, 0) == EDEADLOCK
        await settle()

    run(main)


def test_loop_is_recognised_before_and_after_its_drains(run: Callable[..., Any]) -> None:
    async def main() -> None:
        locals = t.locals()

        def step() -> Any:
            return t.block_on("call", answer, locals, False, 0)

        task = spawn(t.posted(answer()))
        assert step() == EDEADLOCK
        assert [await task, step()] == [7, EDEADLOCK]
        await settle()

    run(main)


@pytest.mark.parametrize("kind", KINDS)
def test_another_thread_may_wait_for_the_loop(run: Callable[..., Any], kind: str) -> None:
    async def main() -> None:
        locals, seen = t.locals(), []
        thread = threading.Thread(target=lambda: seen.append(t.block_on(kind, MADE[kind], locals, False, 0)))
        thread.start()
        await until(lambda: seen)
        thread.join()
        assert seen == [0]
        await settle()

    run(main)


def test_loop_that_goes_on_in_another_thread_answers_its_first_one(loop_kind: str, new_loop: Callable[[], Any]) -> None:
    loop = new_loop()

    async def begin() -> Any:
        await t.sleep(0)
        return t.locals()

    locals = loop.run_until_complete(begin())
    stop = loop.create_future()
    thread = threading.Thread(target=loop.run_until_complete, args=(stop,))
    thread.start()
    try:
        for _ in range(3):
            assert t.block_on("call", answer, locals, False, 0) == 0
    finally:
        loop.call_soon_threadsafe(stop.set_result, None)
        thread.join()


def test_loop_that_stands_is_waited_for(loop_kind: str, new_loop: Callable[[], Any]) -> None:
    loop = new_loop()

    async def begin() -> Any:
        await t.sleep(0)
        return t.locals()

    locals = loop.run_until_complete(begin())
    assert t.block_on("call", answer, locals, False, 1000) == ETIMEDOUT  # another thread might run it
    loop.run_until_complete(settle())


def test_other_loop_of_this_thread_does_not_stand_for_it(loop_kind: str, new_loop: Callable[[], Any]) -> None:
    first, second = new_loop(), new_loop()

    async def begin() -> Any:
        await t.sleep(0)
        return t.locals()

    locals = first.run_until_complete(begin())

    async def main() -> None:
        await t.sleep(0)
        assert t.block_on("call", answer, locals, False, 1000) == ETIMEDOUT
        assert t.block_on("call", answer, None, False, 1000) == EDEADLOCK
        await settle()

    second.run_until_complete(main())
    first.run_until_complete(settle())


# --- with the GIL ---


def test_ready_future_may_be_blocked_on_with_the_gil() -> None:
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        locals = loop.run_until_complete(make_locals())
        assert t.block_on("ready", None, locals, True, 0) == 0
        assert t.block_on("sleep", None, locals, False, 0) == 0


async def make_locals() -> Any:
    return t.locals()


def test_sleep_with_the_gil_aborts_with_a_message_or_is_an_error() -> None:
    done = run_command(command("blocking", "sleep_with_the_gil"))
    if done.returncode == 0:
        assert (done.stdout, done.stderr) == (f"{EDEADLOCK}\n", "")
    else:
        assert "caw_block_on would sleep while its thread holds the GIL" in done.stderr


# --- channels ---


@pytest.mark.parametrize("gil", [True, False])
def test_send_that_would_wait_for_a_consumer_on_this_loop_is_an_error(run: Callable[..., Any], gil: bool) -> None:
    async def main() -> None:
        channel = t.Channel(2)
        generator = channel.generator()
        got: list[int] = []

        async def consume() -> None:
            async for number in generator:
                got.append(number)

        task = spawn(consume())
        await settle()
        sent = [channel.send_here(n, False) for n in range(2)]
        assert sent == [0, 0]
        assert channel.send_here(2, gil) == EDEADLOCK
        await until(lambda: len(got) == 2)
        assert channel.send_here(3, False) == 0
        channel.release()
        await task
        assert got == [0, 1, 3]

    run(main)


def test_send_from_another_thread_waits_for_the_consumer(run: Callable[..., Any]) -> None:
    async def main() -> None:
        channel = t.Channel(1)
        generator = channel.generator()
        sent: list[int] = []

        def send() -> None:
            sent.extend(channel.send_here(n, False) for n in range(100))
            channel.release()

        first = spawn(anext_of(generator))
        await settle()
        thread = threading.Thread(target=send)
        thread.start()
        got = [await first]
        async for number in generator:
            got.append(number)
        thread.join()
        assert got == list(range(100)) and sent == [0] * 100

    run(main)


async def anext_of(generator: Any) -> Any:
    return await generator.__anext__()


# --- closing a pool ---


@pytest.mark.parametrize("gil", [True, False])
@pytest.mark.parametrize("how, late", [("call", False), ("call", True), ("task", False)])
def test_pool_closed_on_the_loop_that_its_worker_waits_for_ends(
    run: Callable[..., Any], how: str, late: bool, gil: bool
) -> None:
    async def main() -> None:
        for _ in range(10):
            status = t.close_pool(answer, how, late, gil)
            assert status in ([EDEADLOCK] if how == "call" else [EDEADLOCK, -125])
        await settle()
        assert await t.posted(answer()) == 7

    run(main)


# --- a pool that waits for itself ---


@pytest.mark.parametrize("n", [4, 64])
def test_callbacks_whose_coroutines_need_the_same_pool_end(run: Callable[..., Any], n: int) -> None:
    async def nested() -> int:
        await t.blocking(0)
        return 1

    async def deeper() -> int:
        total, status = await t.call_from_thread(nested, 2)
        assert status == 0
        return total

    async def main() -> None:
        tasks = [spawn(t.call_from_thread(deeper, 2)) for _ in range(n)]
        assert await results(tasks) == [(4, 0)] * n

    run(main)
