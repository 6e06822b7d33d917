"""Readiness of file descriptors, awaited from Python: real pipes, sockets and files."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import _cawait_test as t
from support.common import cancelled, results, settle, spawn, spawn_all, started, turn


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A non-blocking pipe: read end, write end."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError as error:
            assert error.errno == errno.EBADF  # the test has closed it


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected, non-blocking sockets."""
    pair = socket.socketpair()
    for one in pair:
        one.setblocking(False)
    yield pair
    for one in pair:
        one.close()


def fill(fd: int) -> int:
    """Write until there is no room; return how much was written."""
    written = 0
    try:
        while True:
            written += os.write(fd, b"x" * 65536)
    except BlockingIOError:
        return written


def test_readable_waits_for_data(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        task = await started(t.readable(pipe[0]))
        os.write(pipe[1], b"data")
        assert await task is None
        assert os.read(pipe[0], 100) == b"data"

    run(main)


def test_readable_is_ready_when_data_is_there(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        os.write(pipe[1], b"data")
        await t.readable(pipe[0])
        await t.readable(pipe[0])  # still there

    run(main)


def test_readable_again_and_again(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        for i in range(100):
            task = spawn(t.readable(pipe[0]))
            await turn()
            os.write(pipe[1], b"%d" % i)
            await task
            assert os.read(pipe[0], 100) == b"%d" % i

    run(main)


def test_readable_when_the_other_end_is_closed(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        task = await started(t.readable(pipe[0]))
        os.close(pipe[1])
        await task
        assert os.read(pipe[0], 100) == b""

    run(main)


def test_writable_waits_for_room(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        await t.writable(pipe[1])
        written = fill(pipe[1])
        task = await started(t.writable(pipe[1]))
        while written:
            written -= len(os.read(pipe[0], written))
        await task
        assert os.write(pipe[1], b"again") == 5

    run(main)


def test_writable_when_the_reader_is_gone(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        fill(pipe[1])
        task = await started(t.writable(pipe[1]))
        os.close(pipe[0])
        await task
        with pytest.raises(BrokenPipeError):
            os.write(pipe[1], b"x")

    run(main)


def test_socket_is_watched_both_ways_at_once(run: Callable[..., Any], sockets: Any) -> None:
    async def main() -> None:
        mine, other = sockets
        reading = await started(t.readable(mine.fileno()))
        await t.writable(mine.fileno())
        fill(mine.fileno())
        writing = await started(t.writable(mine.fileno()))
        other.send(b"hello")
        await reading
        assert not writing.done()
        while not writing.done():
            try:
                other.recv(1 << 20)
            except BlockingIOError:
                pass
            await turn()
        await writing
        assert mine.recv(100) == b"hello"

    run(main)


def test_several_may_wait_for_one_fd(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        tasks = [await started(t.readable(pipe[0])) for _ in range(5)]
        await cancelled(tasks[0])
        os.write(pipe[1], b"x")
        assert await results(tasks[1:]) == [None] * 4

    run(main)


def test_many_fds_at_once(run: Callable[..., Any]) -> None:
    async def main() -> None:
        pairs = [socket.socketpair() for _ in range(100)]
        tasks = spawn_all(t.readable(mine.fileno()) for mine, _ in pairs)
        await settle()
        assert not any(task.done() for task in tasks)
        for _, other in reversed(pairs):
            other.send(b"x")
        await results(tasks)
        for pair in pairs:
            for one in pair:
                one.close()

    run(main)


def test_regular_file_is_always_ready(run: Callable[..., Any], tmp_path: Any) -> None:
    async def main() -> None:
        with open(tmp_path / "file", "w+b", buffering=0) as file:
            await t.readable(file.fileno())
            await t.writable(file.fileno())

    run(main)


@pytest.mark.parametrize("name", ["readable", "writable"])
@pytest.mark.parametrize("kind", ["negative", "closed", "never opened"])
def test_bad_fd_is_an_os_error(run: Callable[..., Any], name: str, kind: str) -> None:
    async def main() -> None:
        await t.yield_times(1)  # so that the reactor's own fds do not take the number
        fd = {"negative": -1, "never opened": 1_000_000}.get(kind)
        if fd is None:
            fd = os.open("/dev/null", os.O_RDWR)
            os.close(fd)
        with pytest.raises(OSError) as caught:
            await getattr(t, name)(fd)
        assert caught.value.errno == errno.EBADF

    run(main)


def test_cancelled_readable_can_be_followed_by_another(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        await cancelled(await started(t.readable(pipe[0])))
        task = await started(t.readable(pipe[0]))
        os.write(pipe[1], b"x")
        await task

    run(main)


def test_fd_closed_after_the_cancel_is_forgotten(run: Callable[..., Any]) -> None:
    async def main() -> None:
        first, second = socket.socketpair(), socket.socketpair()
        number = first[0].fileno()
        await cancelled(await started(t.readable(number)))
        os.dup2(second[0].fileno(), number)  # closes the fd of this number, which another one then has
        first[1].close()
        task = await started(t.readable(number))
        second[1].send(b"x")
        await task
        for one in (first[0], *second):
            one.close()

    run(main)


def test_fd_closed_under_a_waiting_task_can_be_cancelled(run: Callable[..., Any]) -> None:
    async def main() -> None:
        pair = socket.socketpair()
        task = await started(t.readable(pair[0].fileno()))
        for one in pair:
            one.close()
        await cancelled(task)

    run(main)


def test_wait_for_gives_a_readable_up(run_asyncio: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(t.readable(pipe[0]), 0.001)
        os.write(pipe[1], b"x")
        await asyncio.wait_for(t.readable(pipe[0]), 20)

    run_asyncio(main)


def test_asyncio_may_watch_the_same_fd(run_asyncio: Callable[..., Any], loop_kind: str, sockets: Any) -> None:
    if loop_kind == "asyncio+no-reader":
        pytest.skip("what is tested is asyncio watching an fd, and this kind of loop cannot: it has no add_reader")

    async def main() -> None:
        mine, other = sockets
        task = await started(t.readable(mine.fileno()))
        receiving = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(mine, 100))
        await settle()
        other.send(b"x")
        assert await receiving == b"x"
        if not task.done():
            other.send(b"y")
        await task

    run_asyncio(main)
