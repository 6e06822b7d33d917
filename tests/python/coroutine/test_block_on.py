"""The synchronous face of an operation: caw_py_block_on, and the plain function that a row of a table makes."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import _cawait_test as t
from support.children import run_child
from support.common import ended, settle, spawn, until, wait_until

HOUR = 3600 * 10**9
MILLISECOND = 10**6


class Trouble(Exception):
    """What a signal handler raises."""

    def __init__(self) -> None:
        self.seen: list[BaseException] = []


# --- values and errors ---


@pytest.mark.parametrize("how", ["timer", "work"])
def test_both_faces_give_the_same_value(run: Callable[..., Any], how: str) -> None:
    assert t.pause(MILLISECOND, how=how) == MILLISECOND
    assert t.pause_by_hand(MILLISECOND, 0, how) == MILLISECOND
    assert run(t.apause, MILLISECOND, 0, how) == MILLISECOND


def test_method_has_both_faces_too(run: Callable[..., Any]) -> None:
    channel = t.Channel(2)
    assert channel.send_sync(1) is None

    async def main() -> None:
        await channel.send(2)
        generator = channel.generator()
        assert [await generator.__anext__(), await generator.__anext__()] == [1, 2]

    run(main)
    channel.release()


def test_error_is_that_of_the_other_face_with_the_line_of_the_table(run: Callable[..., Any]) -> None:
    def shown(error: BaseException) -> tuple[Any, ...]:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return type(error), error.args, frame.filename, frame.lineno, frame.name

    async def main() -> Any:
        return await ended(spawn(t.apause(0, -2)))

    with pytest.raises(FileNotFoundError) as plain:
        t.pause(0, -2)
    with pytest.raises(FileNotFoundError) as by_hand:
        t.pause_by_hand(0, -2)
    awaited = shown(run(main))
    assert shown(plain.value) == (*awaited[:-1], "pause")
    assert shown(by_hand.value)[-1] == "by_hand"
    assert awaited[2].endswith("blocking.c") and awaited[-1] == "apause"


def test_authors_error_function_and_a_poll_without_the_gil_work() -> None:
    assert t.pause_error(MILLISECOND) == MILLISECOND
    with pytest.raises(LookupError, match="pause -5"):
        t.pause_error(MILLISECOND, -5)


def test_arguments_that_start_refuses_are_its_errors() -> None:
    with pytest.raises(TypeError):
        t.pause("much")
    with pytest.raises(TypeError):
        t.pause()


def test_misuse_is_an_error() -> None:
    assert t.block_badly() is None


def test_operation_that_awaits_python_in_place_has_no_loop() -> None:
    class Never:
        def __await__(self) -> Iterator[None]:
            raise AssertionError

    with pytest.raises(RuntimeError, match="CAW_ENOREACTOR"):
        t.pause(0, 0, "await", Never)


# --- the function ---


def test_plain_function_looks_like_one() -> None:
    assert t.pause.__name__ == t.pause.__qualname__ == "pause"
    assert t.pause.__module__ == "_cawait_test"
    assert t.pause.__doc__ == t.apause.__doc__ == "Wait for a while."
    assert inspect.signature(t.pause) == inspect.signature(t.apause)
    assert str(inspect.signature(t.pause)).startswith("(nanoseconds, status=0, how='timer'")
    assert not inspect.iscoroutinefunction(t.pause) and inspect.iscoroutinefunction(t.apause)
    assert not inspect.isasyncgenfunction(t.pause) and not inspect.isgeneratorfunction(t.pause)
    assert repr(t.pause).startswith("<function pause at 0x")
    assert type(t.pause).__name__ == "function"
    assert pickle.loads(pickle.dumps(t.pause)) is t.pause
    assert t.Channel.send_sync.__qualname__ == "Channel.send_sync"
    assert type(t.Channel.send_sync).__name__ == "method"


def test_doc_of_its_own_has_its_own_signature() -> None:
    assert t.pause_wrapped.__doc__ == "Another text."
    assert str(inspect.signature(t.pause_wrapped)) == "(nanoseconds, /, *rest)"
    assert t.apause_wrapped.__doc__ == "Wait for a while."
    assert t.pause_wrapped(1) == 1


# --- loops ---


def test_in_the_thread_of_a_running_loop_it_is_an_error_and_nothing_begins(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for _ in range(2):
            with pytest.raises(RuntimeError, match=r"pause\(\) would block the event loop"):
                t.pause(0)
            with pytest.raises(RuntimeError, match=r"by_hand\(\) would block the event loop"):
                t.pause_by_hand(0)
            await t.sleep(0)
        assert await t.apause(1) == 1

    run(main)
    assert t.pause(1) == 1


def test_other_threads_of_a_program_with_a_loop_may_block(run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen: list[int] = []
        threads = [threading.Thread(target=lambda: seen.append(t.pause(MILLISECOND))) for _ in range(4)]
        for thread in threads:
            thread.start()
        await until(lambda: len(seen) == 4)
        for thread in threads:
            thread.join()

    run(main)


def test_python_on_the_loop_of_another_thread_answers(run: Callable[..., Any]) -> None:
    async def answer() -> int:
        await t.sleep(0.001)
        return 1

    async def failing() -> int:
        raise Trouble

    async def main() -> None:
        locals, seen = t.locals(), []

        def block() -> None:
            seen.append(t.pause(5, 0, "call", answer, locals))
            try:
                t.pause(5, 0, "call", failing, locals)
            except Trouble as error:
                seen.append([frame.name for frame in traceback.extract_tb(error.__traceback__)])

        thread = threading.Thread(target=block)
        thread.start()
        await until(lambda: len(seen) == 2)
        thread.join()
        assert seen[0] == 5
        assert (seen[1][:2], seen[1][-1]) == (["block", "pause"], "failing")
        await settle()

    run(main)


# --- signals ---


@pytest.fixture
def interrupt() -> Iterator[Callable[..., Trouble]]:
    """Have a handler raise an exception in the main thread while it waits for an operation, some times; then call
    something in another thread."""
    before = signal.getsignal(signal.SIGUSR1)
    main = threading.main_thread().ident
    assert main is not None
    threads = []

    def start(times: int = 1, then: Callable[[], Any] = int) -> Trouble:
        trouble = Trouble()
        raised: list[int] = []

        def handler(*_: object) -> None:
            raised.append(t.live_futures())
            raise trouble

        def send() -> None:
            wait_until(t.live_futures)  # seen with the GIL, which the main thread lets go of when it waits
            for n in range(times):
                signal.pthread_kill(main, signal.SIGUSR1)
                wait_until(lambda n=n: len(raised) > n)
            then()

        signal.signal(signal.SIGUSR1, handler)
        threads.append(threading.Thread(target=send))
        threads[-1].start()
        return trouble

    yield start
    for thread in threads:
        thread.join()
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("pause", [t.pause, t.pause_detached, t.pause_kept, t.pause_error, t.pause_by_hand])
def test_signal_handler_that_raises_cancels_the_operation(interrupt: Callable[..., Trouble], pause: Any) -> None:
    trouble = interrupt()
    with pytest.raises(Trouble) as raised:
        pause(HOUR)
    assert raised.value is trouble
    assert t.live_futures() == 0


def test_exception_of_a_handler_is_seen_by_on_throw(interrupt: Callable[..., Trouble]) -> None:
    trouble = interrupt()
    with pytest.raises(Trouble):
        t.pause(HOUR)
    assert trouble.seen == [trouble]


def test_exception_is_raised_when_work_that_nothing_ends_has_ended(interrupt: Callable[..., Trouble]) -> None:
    reading, writing = os.pipe()
    ended: list[str] = []

    def end() -> None:
        ended.append("by a byte")
        os.write(writing, b"x")

    trouble = interrupt(1, end)
    with pytest.raises(Trouble) as raised:
        t.pause(reading, 0, "read")
    assert (raised.value, ended) == (trouble, ["by a byte"])  # never earlier
    assert t.live_futures() == 0
    os.close(writing)
    os.close(reading)


def test_exception_is_raised_when_a_shielded_operation_has_ended(interrupt: Callable[..., Trouble]) -> None:
    there: list[Any] = []
    ended: list[str] = []

    async def goes_on() -> None:
        await there[0].wait()
        ended.append("by itself")

    async def main() -> None:
        gate = asyncio.Event()
        there.extend([gate, asyncio.get_running_loop(), t.locals()])
        await gate.wait()
        await settle()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    wait_until(lambda: len(there) == 3)
    trouble = interrupt(1, lambda: there[1].call_soon_threadsafe(there[0].set))
    with pytest.raises(Trouble) as raised:
        t.pause_shielded(0, 0, "call", goes_on, there[2])
    assert (raised.value, ended) == (trouble, ["by itself"])
    assert t.live_futures() == 0
    thread.join()


@pytest.mark.parametrize("pause, times", [(t.pause, 2), (t.pause_graced, 1)])
def test_operation_that_goes_on_is_left_at_the_second_exception_or_when_its_grace_is_over(
    interrupt: Callable[..., Trouble], pause: Any, times: int
) -> None:
    reading, writing = os.pipe()
    interrupt(times)
    with pytest.raises(Trouble):
        pause(reading, 0, "read")
    assert t.live_futures() == 0
    os.write(writing, b"x")  # only now it can end
    assert t.pause(1, 0, "work") == 1
    os.close(writing)
    os.close(reading)


def test_handler_that_does_not_raise_changes_nothing() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(t.pause(1)))
    main = threading.main_thread().ident
    assert main is not None
    reading, writing = os.pipe()

    def send() -> None:
        wait_until(t.live_futures)
        signal.pthread_kill(main, signal.SIGUSR1)
        wait_until(lambda: seen)
        os.write(writing, b"x")

    thread = threading.Thread(target=send)
    thread.start()
    assert t.pause(reading, 0, "read") == reading
    thread.join()
    signal.signal(signal.SIGUSR1, before)
    assert seen == [1]
    os.close(writing)
    os.close(reading)


@pytest.mark.parametrize("how", ["timer", "work", "detached", "another thread takes it"])
def test_ctrl_c_is_a_keyboard_interrupt(how: str) -> None:
    assert run_child("blocking", "ctrl_c", how) == "interrupted 0\n"


def test_neither_asyncio_nor_threading_is_imported() -> None:
    assert run_child("blocking", "without_asyncio") == "False False\n"


def test_many_threads_block_at_once() -> None:
    seen: list[int] = []

    def block() -> None:
        for _ in range(20):
            seen.append(t.pause(1000, 0, "work"))
            seen.append(t.pause(1000))

    threads = [threading.Thread(target=block) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 320


def test_result_is_awaited_by_another_loop_afterwards(run: Callable[..., Any]) -> None:
    for _ in range(3):
        assert t.pause(1) == run(t.apause, 1) == 1
    wait_until(lambda: t.live_futures() == 0)
    assert inspect.iscoroutinefunction(t.apause)
