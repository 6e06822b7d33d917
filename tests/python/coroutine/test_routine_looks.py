"""What can be seen of async functions in C: repr(), frames, tracebacks."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import threading
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import started, suspended, turn, until

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


LINE = re.compile(r"(\w+) at [^ ]*routine\.c:(\d+)")


def lines_of(error: BaseException) -> list[tuple[str, int]]:
    """The functions in C of a traceback, and their lines."""
    frames = traceback.extract_tb(error.__traceback__)
    return [(one.name, one.lineno or 0) for one in frames if one.filename.endswith("routine.c")]


def test_functions_that_wait_for_each_other_are_shown_with_their_lines(run: Run) -> None:
    async def main() -> None:
        here, there = socket.socketpair()
        coroutine = t.naps(3, here.fileno())
        task = await started(coroutine)
        await until(lambda: len(LINE.findall(repr(coroutine))) == 4)
        waits = LINE.findall(repr(coroutine))
        assert [name for name, _ in waits] == ["naps"] * 4 and "suspended" in repr(coroutine)
        assert len({line for _, line in waits[:3]}) == 1 and waits[3] not in waits[:3]
        there.send(b"1")
        with pytest.raises(OSError):
            await task
        here.close()
        there.close()
        assert LINE.findall(repr(coroutine)) == [] and "closed" in repr(coroutine)

    run(main)


def test_traceback_has_the_line_where_each_function_failed(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError) as seen:
            await t.naps(0)
        assert seen.value.errno == errno.ENOENT
        [(name, line)] = lines_of(seen.value)
        with pytest.raises(OSError) as seen:
            await t.naps(3)
        assert name == "naps" and lines_of(seen.value) == [("naps", line - 2)] * 3 + [("naps", line)]
        with pytest.raises(TypeError) as raised:
            await t.makes_nothing()
        assert [name for name, _ in lines_of(raised.value)] == ["makes_nothing"]

    run(main)


def test_traceback_of_a_deep_call_has_its_ends(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError) as seen:
            await t.naps(100)
        lines = lines_of(seen.value)
        assert len(lines) == 32 and len(set(lines[:-1])) == 1 and lines[-1][1] == lines[0][1] + 2

    run(main)


def test_traceback_of_what_is_thrown_into_a_function_has_the_lines_where_it_waits(run: Run) -> None:
    async def main() -> None:
        coroutine = await suspended(t.naps(0))
        waits = LINE.findall(repr(coroutine))
        with pytest.raises(KeyError) as seen:
            coroutine.throw(KeyError())
        assert [(name, int(line)) for name, line in waits] == lines_of(seen.value) != []

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
