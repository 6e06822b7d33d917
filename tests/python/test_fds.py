"""What the core offers, awaited from Python: timers, fd readiness on real pipes, sockets and files, the pool."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import _cawait_test as t
import pytest

MANY = 10_000
MANY_IN_DEBUG_MODE = 1_000  # where asyncio keeps a traceback for each task
LONG = 3600  # seconds; what sleeps so long is cancelled


async def turns(n: int = 5) -> None:
    """Let everything that can run do so."""
    for _ in range(n):
        await asyncio.sleep(0)


async def started(coroutine: Any) -> asyncio.Task[Any]:
    """A task of it that is suspended."""
    task = asyncio.ensure_future(coroutine)
    await turns()
    assert not task.done()
    return task


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and see them all end by that."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


@pytest.fixture
def many(loop_kind: str) -> int:
    """How many operations are many."""
    return MANY_IN_DEBUG_MODE if loop_kind == "asyncio-debug" else MANY


# --- timers ---


@pytest.mark.parametrize("seconds", [0, 1e-9, 0.001, 0.02])
@pytest.mark.parametrize("name", ["sleep", "sleep_nogil", "spawned_sleep"])
def test_sleep_ends(run: Callable[..., Any], name: str, seconds: float) -> None:
    assert run(getattr(t, name), seconds) is None


def test_shorter_sleep_ends_first(run: Callable[..., Any]) -> None:
    async def main() -> None:
        long, short = [asyncio.ensure_future(t.sleep(seconds)) for seconds in (LONG, 0.001)]
        done, _ = await asyncio.wait([long, short], return_when=asyncio.FIRST_COMPLETED)
        assert done == {short}
        await cancelled(long)

    run(main)


def test_sleeps_of_one_turn_end_in_the_order_of_their_deadlines(run: Callable[..., Any]) -> None:
    async def main() -> None:
        ended = []

        async def sleeper(i: int) -> None:
            await t.sleep(0.001 + i / 10)
            ended.append(i)

        tasks = [asyncio.ensure_future(sleeper(i)) for i in (3, 1, 0, 2)]
        await turns()
        await asyncio.gather(*tasks)
        assert ended == [0, 1, 2, 3]

    run(main)


def test_sleeps_follow_each_other(run: Callable[..., Any]) -> None:
    async def main() -> int:
        for i in range(50):
            await t.sleep(0.0001 * (i % 3))
        return i

    assert run(main) == 49


def test_loop_goes_on_while_it_sleeps(run: Callable[..., Any]) -> None:
    async def main() -> None:
        sleeping = await started(t.sleep(LONG))
        loop = asyncio.get_running_loop()
        called = loop.create_future()
        loop.call_later(0.001, called.set_result, "called")
        assert await called == "called"
        assert await t.yield_times(3) is None
        assert not sleeping.done()
        await cancelled(sleeping)

    run(main)


@pytest.mark.parametrize("name", ["sleep", "sleep_nogil", "spawned_sleep"])
def test_cancelled_sleep_ends_at_once(run: Callable[..., Any], name: str) -> None:
    async def main() -> None:
        await cancelled(await started(getattr(t, name)(LONG)))
        await t.sleep(0)

    run(main)


@pytest.mark.parametrize("name", ["sleep", "spawned_sleep"])
def test_many_sleeps_at_once_all_end(run: Callable[..., Any], name: str, many: int) -> None:
    async def main() -> None:
        sleep = getattr(t, name)
        results = await asyncio.gather(*[sleep(i % 10 / 1000) for i in range(many)])
        assert results == [None] * many

    run(main)


def test_many_sleeps_cancelled_at_once_all_end(run: Callable[..., Any], many: int) -> None:
    async def main() -> None:
        before = t.live_futures()
        tasks = [asyncio.ensure_future(t.sleep(LONG + i % 100)) for i in range(many)]
        await turns()
        await cancelled(*tasks[::2])
        assert not any(task.done() for task in tasks[1::2])
        await cancelled(*tasks[1::2])
        assert t.live_futures() == before

    run(main)


def test_sleep_that_nobody_awaits_any_more_is_forgotten(run: Callable[..., Any]) -> None:
    async def main() -> None:
        coroutine = t.sleep(LONG)
        coroutine.send(None)
        coroutine.close()
        another = t.sleep(LONG)
        another.send(None)
        del another
        await t.sleep(0.001)

    run(main)


def test_loop_that_ends_with_sleeps_pending_cancels_them(run: Callable[..., Any]) -> None:
    ended = []

    async def sleeper() -> None:
        try:
            await t.sleep(LONG)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def main() -> None:
        main.tasks = [await started(sleeper()) for _ in range(3)]  # kept: asyncio itself refers to tasks only weakly

    run(main)
    del main.tasks
    assert ended == ["cancelled"] * 3


# --- fds ---


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
    """Write until there is no room; how much went in."""
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
            task = asyncio.ensure_future(t.readable(pipe[0]))
            await asyncio.sleep(0)
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
            await asyncio.sleep(0)
        await writing
        assert mine.recv(100) == b"hello"

    run(main)


def test_several_may_wait_for_one_fd(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        tasks = [await started(t.readable(pipe[0])) for _ in range(5)]
        await cancelled(tasks[0])
        os.write(pipe[1], b"x")
        assert await asyncio.gather(*tasks[1:]) == [None] * 4

    run(main)


def test_many_fds_at_once(run: Callable[..., Any]) -> None:
    async def main() -> None:
        pairs = [socket.socketpair() for _ in range(100)]
        tasks = [asyncio.ensure_future(t.readable(mine.fileno())) for mine, _ in pairs]
        await turns()
        assert not any(task.done() for task in tasks)
        for _, other in reversed(pairs):
            other.send(b"x")
        await asyncio.gather(*tasks)
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
        first, _ = pair = socket.socketpair()
        number = first.fileno()
        await cancelled(await started(t.readable(number)))
        for one in pair:
            one.close()
        again = socket.socketpair()  # takes the same numbers
        assert number in [one.fileno() for one in again]
        task = await started(t.readable(again[0].fileno()))
        again[1].send(b"x")
        await task
        for one in again:
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


def test_wait_for_gives_a_readable_up(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(t.readable(pipe[0]), 0.001)
        os.write(pipe[1], b"x")
        await asyncio.wait_for(t.readable(pipe[0]), 20)

    run(main)


def test_asyncio_may_watch_the_same_fd(run: Callable[..., Any], loop_kind: str, sockets: Any) -> None:
    if loop_kind == "no_reader":
        pytest.skip("this loop watches no fds")

    async def main() -> None:
        mine, other = sockets
        task = await started(t.readable(mine.fileno()))
        receiving = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(mine, 100))
        await turns()
        other.send(b"x")
        assert await receiving == b"x"
        if not task.done():
            other.send(b"y")
        await task

    run(main)


# --- the pool ---


def test_blocking_call_ends(run: Callable[..., Any]) -> None:
    assert run(t.blocking, 0.001) is None


def test_loop_goes_on_while_a_call_blocks(run: Callable[..., Any]) -> None:
    async def main() -> None:
        blocking = asyncio.ensure_future(t.blocking(0.02))
        count = 0
        while not blocking.done():
            await asyncio.sleep(0)
            count += 1
        assert count > 1
        await blocking

    run(main)


def test_many_blocking_calls_all_end(run: Callable[..., Any]) -> None:
    async def main() -> None:
        assert await asyncio.gather(*[t.blocking(0) for _ in range(1000)]) == [None] * 1000

    run(main)


def test_cancelled_blocking_call_is_cancelled(run: Callable[..., Any]) -> None:
    async def main() -> None:
        await cancelled(await started(t.blocking(0.02)))
        await t.blocking(0)

    run(main)


def test_queue_of_blocking_calls_can_be_cancelled(run: Callable[..., Any]) -> None:
    async def main() -> None:
        tasks = [asyncio.ensure_future(t.blocking(0.01)) for _ in range(1000)]
        await turns()
        await cancelled(*[task for task in tasks if not task.done()])

    run(main)


def test_everything_at_once(run: Callable[..., Any], pipe: tuple[int, int]) -> None:
    async def main() -> None:
        reading = asyncio.ensure_future(t.readable(pipe[0]))
        rest = asyncio.gather(
            *[t.sleep(i / 1e5) for i in range(100)],
            *[t.blocking(1e-5) for _ in range(100)],
            *[t.spawned_sleep(i / 1e5) for i in range(100)],
            *[t.yield_times(i % 5) for i in range(100)],
        )
        assert await rest == [None] * 400
        os.write(pipe[1], b"x")
        await reading

    run(main)
