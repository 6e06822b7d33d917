"""What can be seen of async functions in C: repr(), frames, tracebacks."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import started, turn

Run = Callable[..., Any]


async def value(what: Any, turns: int = 1) -> Any:
    for _ in range(turns):
        await turn()
    return what


def test_function_that_waits_shows_its_line(run_asyncio: Run) -> None:
    async def main() -> None:
        coroutine = t.routine((value(1, 20),))
        assert "routine.c" not in repr(coroutine)
        before = coroutine.cr_frame
        assert before is coroutine.cr_frame
        task = asyncio.ensure_future(coroutine)
        await turn()
        await turn()
        waits_at = int(repr(coroutine).split("routine.c:")[1].split(",")[0])
        assert "suspended" in repr(coroutine)
        frame = coroutine.cr_frame
        assert (frame.f_code.co_name, frame.f_lineno) == ("routine", waits_at)
        assert frame.f_code.co_filename.endswith("routine.c") and frame is coroutine.cr_frame
        assert await task == [1]

    run_asyncio(main)


def test_traceback_has_the_line_that_failed(run: Run) -> None:
    async def main() -> None:
        lines = []
        for depth in (0, 3):
            with pytest.raises(OSError) as seen:
                await t.naps(depth)
            assert seen.value.errno == errno.ENOENT
            frames = [one for one in traceback.extract_tb(seen.value.__traceback__) if one.name == "naps"]
            assert len(frames) == 1 and frames[0].filename.endswith("routine.c")
            lines.append(frames[0].lineno)
        assert lines[0] == lines[1] + 2  # the await of the child; the await of what fails

    run(main)


def test_function_that_is_polled_without_the_gil_shows_no_line_meanwhile(run: Run) -> None:
    """The poll writes at which line it is; others look when it is suspended."""

    async def main() -> None:
        here, there = socket.socketpair()
        coroutine = t.long_poll(there.fileno())
        row = coroutine.cr_frame.f_lineno
        seen: list[Any] = []

        def look() -> None:
            here.recv(1)
            seen.append((repr(coroutine), coroutine.cr_frame.f_lineno))
            here.send(b"1")

        looking = threading.Thread(target=look)
        looking.start()
        task = await started(coroutine)
        while "routine.c:" not in repr(coroutine) or looking.is_alive():
            await turn()
        [(text, line)] = seen
        assert "long_poll, running" in text and line == row
        assert coroutine.cr_frame.f_lineno == int(repr(coroutine).split("routine.c:")[1].split(",")[0]) != row
        here.send(b"2")
        await task
        looking.join()
        here.close()
        there.close()

    run(main)
