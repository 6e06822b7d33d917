"""The pool, awaited from Python: blocking calls that run beside the loop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import _cawait_test as t
from support.common import all_ended, ended, results, settle, spawn, spawn_all, started, suspended_tasks, until

MOST_THREADS = max(4, os.sysconf("SC_NPROCESSORS_ONLN"))  # of the default pool, as in pool.c


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of the socket of t.blocking_told: the test's and the calls'."""
    mine, theirs = socket.socketpair()
    yield mine, theirs
    mine.close()
    theirs.close()


def test_blocking_call_ends(run: Callable[..., Any]) -> None:
    assert run(t.blocking, 0.001) is None


def test_loop_goes_on_while_a_call_blocks(run: Callable[..., Any], ends: Any) -> None:
    async def main() -> None:
        mine, theirs = ends
        blocking = await started(t.blocking_told(theirs.fileno()))
        await t.readable(mine.fileno())  # it runs
        await t.sleep(0.001)
        assert await t.yield_times(3) is None
        assert not blocking.done()
        mine.send(b"x")
        assert await blocking is None

    run(main)


def test_many_blocking_calls_all_end(run: Callable[..., Any]) -> None:
    async def main() -> None:
        assert await results(spawn_all(t.blocking(0) for _ in range(1000))) == [None] * 1000

    run(main)


def test_cancelled_blocking_call_is_cancelled_when_it_ends(run: Callable[..., Any], ends: Any) -> None:
    async def main() -> None:
        mine, theirs = ends
        blocking = await started(t.blocking_told(theirs.fileno()))
        await t.readable(mine.fileno())  # it runs
        blocking.cancel()
        await settle()
        assert not blocking.done()
        mine.send(b"x")
        assert await ended(blocking) == "cancelled"
        assert await t.blocking(0) is None

    run(main)


def test_queue_of_blocking_calls_can_be_cancelled_while_others_run(run: Callable[..., Any], ends: Any) -> None:
    async def main() -> None:
        mine, theirs = ends
        tasks = await suspended_tasks(t.blocking_told(theirs.fileno()) for _ in range(1000))
        await t.readable(mine.fileno())  # at least one runs
        for task in tasks:
            task.cancel()
        await until(lambda: sum(not task.done() for task in tasks) <= MOST_THREADS)
        assert not all(task.done() for task in tasks)
        mine.shutdown(socket.SHUT_WR)
        await all_ended(tasks)
        assert all(task.cancelled() for task in tasks)
        assert 1 <= len(mine.recv(1000)) <= MOST_THREADS  # the others never ran

    run(main)


def test_everything_at_once(run: Callable[..., Any], ends: Any) -> None:
    async def main() -> None:
        mine, theirs = ends
        reading = spawn(t.readable(mine.fileno()))
        rest = [
            *[t.sleep(i / 1e5) for i in range(100)],
            *[t.blocking(1e-5) for _ in range(100)],
            *[t.spawned_sleep(i / 1e5) for i in range(100)],
            *[t.yield_times(i % 5) for i in range(100)],
        ]
        assert await results(spawn_all(rest)) == [None] * 400
        assert not reading.done()
        blocking = spawn(t.blocking_told(theirs.fileno()))
        await reading
        mine.send(b"x")
        await blocking

    run(main)
