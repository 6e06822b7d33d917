"""Objects and buffers that native threads hold without a loop: released once, with the GIL, on any thread."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import _cawait_test as t
from support.children import run_child
from support.common import Value, ended, spawn, until


def is_locked(data: bytearray) -> bool:
    try:
        data.append(0)
    except BufferError:
        return True
    data.pop()
    return False


def await_true(condition: Callable[[], bool]) -> None:
    """Without a loop: the main thread goes from instruction to instruction."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


async def reading(data: bytearray, pipe: tuple[int, int]) -> Any:
    """A task whose worker has read two bytes of four."""
    task = spawn(t.readinto_detached(data, pipe[0]))
    os.write(pipe[1], b"ab")
    while data[:2] != b"ab":
        await t.sleep(0.001)
    return task


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


# --- the buffer of an operation ---


def test_buffer_that_was_read_into_is_unlocked_and_filled(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        data = bytearray(4)
        os.write(pipe[1], b"abcd")
        assert await t.readinto(data, pipe[0]) is None
        await until(lambda: not is_locked(data))
        assert data == b"abcd"

    run(main)


def test_buffer_of_a_detached_read_stays_locked_until_the_worker_has_ended(
    run: Callable[..., Any], pipe: tuple[int, int]
) -> None:
    async def main() -> None:
        data = bytearray(4)
        task = await reading(data, pipe)
        task.cancel()
        assert await ended(task) == "cancelled"
        assert is_locked(data)
        gc.collect()
        assert is_locked(data)
        os.write(pipe[1], b"cd")
        await until(lambda: not is_locked(data))
        assert data == b"abcd"

    run(main)


def test_buffer_outlives_the_loop_of_its_operation(
    new_loop: Callable[[], asyncio.AbstractEventLoop], pipe: tuple[int, int]
) -> None:
    data, loop = bytearray(4), new_loop()

    async def main() -> None:
        task = await reading(data, pipe)
        task.cancel()
        assert await ended(task) == "cancelled"

    loop.run_until_complete(main())
    assert is_locked(data)
    loop.close()
    del loop
    gc.collect()
    assert is_locked(data)
    os.write(pipe[1], b"cd")
    await_true(lambda: not is_locked(data))
    assert data == b"abcd"


def test_buffer_is_unlocked_while_the_loop_stands(
    new_loop: Callable[[], asyncio.AbstractEventLoop], pipe: tuple[int, int]
) -> None:
    data, loop = bytearray(4), new_loop()

    async def main() -> None:
        task = await reading(data, pipe)
        task.cancel()
        assert await ended(task) == "cancelled"

    loop.run_until_complete(main())
    os.write(pipe[1], b"cd")
    await_true(lambda: not is_locked(data))


def test_operation_that_is_made_outside_a_loop_and_dropped_unlocks_the_buffer(pipe: tuple[int, int]) -> None:
    data = bytearray(4)
    coroutine = t.readinto(data, pipe[0])
    assert is_locked(data)
    coroutine.close()
    assert not is_locked(data)


def test_operation_that_is_made_outside_a_loop_runs_in_a_later_one(run: Callable[..., Any], pipe: Any) -> None:
    data = bytearray(4)
    coroutine = t.readinto(data, pipe[0])
    os.write(pipe[1], b"abcd")

    async def main() -> None:
        await coroutine
        await until(lambda: not is_locked(data))

    run(main)
    assert data == b"abcd"


@pytest.mark.parametrize("wrong", [b"bytes are not writable", 7, None])
def test_what_has_no_such_buffer_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises((TypeError, BufferError)):
        t.readinto(wrong, 0)


# --- references ---


def test_object_and_buffer_are_there_until_the_release() -> None:
    value, data = Value(), bytearray(3)
    held, locked = t.hold(value), t.hold_buffer(data)
    assert t.held(held) == (value, -1) and t.held(locked) == (data, 3)
    ref = weakref.ref(value)
    del value
    assert ref() is not None and is_locked(data)
    del held, locked
    assert ref() is None and not is_locked(data)


def test_threads_release_with_no_loop_anywhere() -> None:
    value, data = Value(), bytearray(3)
    ref = weakref.ref(value)
    t.release_in_threads(value, 8, 100)
    t.release_in_threads(data, 8, 100, True)
    del value
    await_true(lambda: ref() is None and not is_locked(data))


def test_sleeping_loop_is_woken_to_release(run: Callable[..., Any]) -> None:
    """Neither a timer nor anything else resumes the task: the release does, by what it drops."""

    async def main() -> None:
        gone, value = t.Gate(), Value()
        weakref.finalize(value, gone.open)
        t.release_in_threads(value, 4, 20_000)
        del value
        await gone.wait()

    run(main)


def test_loop_in_another_thread_releases_while_the_main_thread_blocks(
    run: Callable[..., Any]
) -> None:
    async def main() -> None:
        gone, value = t.Gate(), Value()
        weakref.finalize(value, gone.open)
        t.release_in_threads(value, 4, 20_000)
        del value
        await gone.wait()

    thread = threading.Thread(target=run, args=[main])
    thread.start()
    thread.join()


def test_many_objects_are_each_released_once(run: Callable[..., Any]) -> None:
    async def main() -> None:
        values = [Value() for _ in range(300)]
        refs = [weakref.ref(value) for value in values]
        counts = [sys.getrefcount(None)]
        for value in values:
            t.release_in_threads(value, 3, 50)
        values.clear()
        del value
        await until(lambda: not any(ref() for ref in refs))
        assert abs(sys.getrefcount(None) - counts[0]) < 1000

    run(main)


# --- the end ---

@pytest.mark.parametrize("how", ["at_once", "after_a_thread"])
def test_release_around_and_after_the_end_of_the_interpreter_is_clean(how: str) -> None:
    for _ in range(5):
        assert run_child("held", how) == ""
