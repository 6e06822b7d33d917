"""trio as a guest of an asyncio loop: both run in one thread, and operations are awaited on both sides at once."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

import _cawait_test as t
from support.common import settle, until
from support.frameworks import run_kind
from support.kinds import params
from support.policies import every, told

Function = Callable[[], Awaitable[Any]]


async def host_and_guest(host: Function, guest: Function) -> tuple[Any, Any]:
    """Run one as a task of this loop and the other as the main task of a guest; return their results."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    trio.lowlevel.start_guest_run(
        guest,
        run_sync_soon_threadsafe=loop.call_soon_threadsafe,
        run_sync_soon_not_threadsafe=loop.call_soon,
        done_callback=done.set_result,
        host_uses_signal_set_wakeup_fd=True,
    )
    value = await host()
    return value, (await done).unwrap()


@pytest.fixture(params=params(["asyncio", "asyncio+debug", "asyncio+pure", "uvloop"]))
def run_both(request: pytest.FixtureRequest, loop_errors: list[Any]) -> Callable[[Function, Function], Any]:
    """A function that runs a host and its guest to their ends."""
    return functools.partial(run_kind, request.param, loop_errors, host_and_guest)


def test_operations_are_awaited_on_both_sides_at_once(run_both: Any) -> None:
    """Neither is resolved before the other waits."""
    host_op, guest_op = t.Op("host"), t.Op("guest")

    async def host() -> Any:
        task = asyncio.ensure_future(host_op.wait())
        await until(lambda: host_op.started and guest_op.started)
        host_op.resolve_later(100)
        guest_op.resolve_later(100)
        return await task

    assert run_both(host, guest_op.wait) == ("host", "guest")


def test_each_side_has_a_hub_of_its_own(run_both: Any, hubs: Callable[[], list[Any]]) -> None:
    ops = [t.Op(n) for n in range(2)]

    async def host() -> Any:
        task = asyncio.ensure_future(ops[0].wait())
        await until(lambda: all(op.started for op in ops))
        await settle()
        assert len(hubs()) == 2
        ops[1].resolve()
        ops[0].resolve()
        return await task

    assert run_both(host, ops[1].wait) == (0, 1)


def test_many_on_both_sides_end_with_their_own_values(run_both: Any) -> None:
    async def one(n: int) -> int:
        op = t.Op(n)
        for _ in range(3):
            op.resolve_later(n * 10)
            assert await op.wait() == n
            op = t.Op(n)
            await t.yield_times(2)
            await t.sleep(0.0001)
        return n

    async def host() -> list[int]:
        return list(await asyncio.gather(*(one(n) for n in range(30))))

    async def guest() -> list[int]:
        values = []

        async def child(n: int) -> None:
            values.append(await one(n))

        async with trio.open_nursery() as nursery:
            for n in range(30):
                nursery.start_soon(child, n)
        return sorted(values)

    assert run_both(host, guest) == (list(range(30)), list(range(30)))


@every
def test_scope_that_is_cancelled_in_the_guest_leaves_the_host_alone(run_both: Any, method: str, on_cancel: str) -> None:
    host_op, guest_op = t.Op("host", on_cancel=on_cancel), t.Op(on_cancel=on_cancel)
    left = []

    async def host() -> Any:
        task = asyncio.ensure_future(getattr(host_op, method)())
        await until(lambda: left)
        assert not task.done() and host_op.cancelled == 0
        host_op.resolve()
        return await task

    async def guest() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(getattr(guest_op, method))
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
                guest_op.resolve_later(100)
        left.append(scope.cancelled_caught or method == "wait_shielded")

    assert run_both(host, guest) == ("host", None)
    assert left == [True]
    assert guest_op.cancelled == (told_once(guest_op, method, on_cancel))


def told_once(op: Any, method: str, on_cancel: str) -> int:
    """How often on_cancel is called."""
    return int(method != "wait_shielded" and told(op, on_cancel) and on_cancel != "none")


@every
def test_task_that_is_cancelled_in_the_host_leaves_the_guest_alone(run_both: Any, method: str, on_cancel: str) -> None:
    host_op, guest_op = t.Op(on_cancel=on_cancel), t.Op("guest", on_cancel=on_cancel)

    async def host() -> None:
        task = asyncio.ensure_future(getattr(host_op, method)())
        await until(lambda: host_op.started and guest_op.started)
        task.cancel()
        await settle()
        host_op.resolve()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert guest_op.cancelled == 0
        guest_op.resolve()

    assert run_both(host, getattr(guest_op, method)) == (None, "guest")
    assert host_op.cancelled == told_once(host_op, method, on_cancel)


def test_guest_that_ends_leaves_the_host_going(run_both: Any, hubs: Callable[[], list[Any]]) -> None:
    detached = t.Op(on_cancel="ignored")
    ended = []

    async def guest() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(detached.wait_detached)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        ended.append(True)

    async def host() -> Any:
        await until(lambda: ended)
        op = t.Op("host")
        op.resolve_later(100)
        value = await op.wait()
        await until(lambda: len(hubs()) == 1)
        op = t.Op("later")
        op.resolve_later(100)
        return value, await op.wait()

    assert run_both(host, guest) == (("host", "later"), None)
    assert (detached.cancelled, detached.freed) == (1, 0)
    detached.resolve()


def test_coroutine_that_waits_in_the_guest_is_refused_in_the_host(run_both: Any) -> None:
    """They are two loops, although in one thread."""
    op = t.Op("guest")
    coroutine = op.wait()

    async def host() -> None:
        await until(lambda: coroutine.cr_suspended)
        with pytest.raises(RuntimeError, match="suspended on a different event loop"):
            await coroutine
        op.resolve()

    async def guest() -> Any:
        return await coroutine

    assert run_both(host, guest) == (None, "guest")


def test_host_wakes_a_task_of_the_guest_by_closing_its_coroutine(run_both: Any) -> None:
    op = t.Op(on_cancel="resolves")
    coroutine = op.wait()

    async def host() -> None:
        await until(lambda: coroutine.cr_suspended)
        coroutine.close()

    async def guest() -> None:
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await coroutine

    assert run_both(host, guest) == (None, None)
    assert op.cancelled == op.freed == 1
