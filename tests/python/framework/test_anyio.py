"""anyio's scopes, groups and threads around operations, on asyncio, uvloop and trio, with each policy."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest

import _cawait_test as t
from support.policies import detached, every, shielded, waiting
from support.scopes import every_backend, not_cancelled, on_asyncio, run_anyio


def told_once(method: str, on_cancel: str) -> int:
    """How often on_cancel is called after any number of cancels."""
    return int(method != "wait_shielded" and on_cancel != "none")


def by_value(method: str, backend: str) -> bool:
    """On trio a shielded operation returns its value, and the next checkpoint raises; on asyncio the await raises."""
    return method == "wait_shielded" and backend == "trio"


async def settle() -> None:
    """Let everything run that can, also in a cancelled scope."""
    with anyio.CancelScope(shield=True):
        for _ in range(10):
            await anyio.lowlevel.checkpoint()


async def goes_on() -> None:
    """Check that this task has nothing left of a cancellation."""
    op = t.Op("later")
    op.resolve_later(100)
    assert await op.wait() == "later"
    await anyio.sleep(0)
    try:
        assert not_cancelled(asyncio.current_task())
    except RuntimeError:
        pass  # on trio


async def resolve_when_told(op: Any, method: str, on_cancel: str) -> None:
    """End the operation after its awaiter was cancelled. A policy that detaches does not need it."""
    with anyio.CancelScope(shield=True):
        while op.cancelled < told_once(method, on_cancel):
            await anyio.sleep(0)
        await settle()
        assert op.freed == 0
        op.resolve()


async def expire(scope: anyio.CancelScope, op: Any) -> None:
    """Let a scope's time limit pass as soon as the operation is awaited."""
    while not op.started:
        await anyio.sleep(0)
    await settle()
    scope.deadline = anyio.current_time()


async def expire_and_resolve(scope: anyio.CancelScope, op: Any, method: str, on_cancel: str) -> None:
    """The same, and end the operation after that."""
    await expire(scope, op)
    while not scope.cancel_called:
        await anyio.sleep(0)
    await resolve_when_told(op, method, on_cancel)


# --- scopes ---


@every_backend
@every
def test_scope_that_is_cancelled_is_left_by_the_policy(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op, values = t.Op("value", on_cancel=on_cancel), []
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                group.start_soon(cancel_and_resolve, scope, op)
                values.append(await getattr(op, method)())
            assert values == (["value"] if by_value(method, backend) else [])
            assert scope.cancelled_caught == (not values)
            await goes_on()
        assert (op.cancelled, op.freed) == (told_once(method, on_cancel), 1)

    async def cancel_and_resolve(scope: anyio.CancelScope, op: Any) -> None:
        while not op.started:
            await anyio.sleep(0)
        scope.cancel()
        await resolve_when_told(op, method, on_cancel)

    run_anyio(backend, main)


@every_backend
@waiting
def test_waiting_task_stays_in_its_scope_until_the_end(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op, left = t.Op(on_cancel=on_cancel), []

        async def waiter() -> None:
            with scope:
                await getattr(op, method)()
            left.append(op.freed)

        scope = anyio.CancelScope()
        async with anyio.create_task_group() as group:
            group.start_soon(waiter)
            await settle()
            scope.cancel()
            await settle()
            assert left == []
            op.resolve()
        assert left == [1] and scope.cancelled_caught

    run_anyio(backend, main)


@every_backend
@detached
def test_detached_task_leaves_its_scope_at_once(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel=on_cancel)
        async with anyio.create_task_group() as group:
            with anyio.move_on_after(60) as scope:
                group.start_soon(expire, scope, op)
                await getattr(op, method)()
        assert scope.cancelled_caught
        assert (op.cancelled, op.freed) == (told_once(method, on_cancel), 0)
        await goes_on()
        op.resolve()
        assert op.freed == 1

    run_anyio(backend, main)


@every_backend
@every
def test_move_on_after_moves_on(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op, values = t.Op("value", on_cancel=on_cancel), []
        async with anyio.create_task_group() as group:
            with anyio.move_on_after(60) as scope:
                group.start_soon(expire_and_resolve, scope, op, method, on_cancel)
                values.append(await getattr(op, method)())
            assert scope.cancelled_caught == (not values)
            assert values == (["value"] if by_value(method, backend) else [])
        assert op.cancelled == told_once(method, on_cancel)
        await goes_on()

    run_anyio(backend, main)


@every_backend
@every
def test_fail_after_raises_time_out_when_the_operation_was_cancelled(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op, late = t.Op(on_cancel=on_cancel), []
        async with anyio.create_task_group() as group:
            try:
                with anyio.fail_after(60) as scope:
                    group.start_soon(expire_and_resolve, scope, op, method, on_cancel)
                    await getattr(op, method)()
            except TimeoutError:
                late.append(True)
        assert late == ([] if by_value(method, backend) else [True])
        assert op.cancelled == told_once(method, on_cancel)
        await goes_on()

    run_anyio(backend, main)


@every_backend
@every
def test_time_limit_that_is_not_reached_changes_nothing(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op("in time", on_cancel=on_cancel)
        op.resolve_later(100)
        with anyio.fail_after(30):
            assert await getattr(op, method)() == "in time"
        assert op.cancelled == 0
        await goes_on()

    run_anyio(backend, main)


@every_backend
@every
def test_shielded_scope_keeps_the_cancellation_off(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op, after, values = t.Op("inner", on_cancel=on_cancel), t.Op(on_cancel="resolves"), []
        with anyio.CancelScope() as outer:
            outer.cancel()
            with anyio.CancelScope(shield=True):
                op.resolve_later(100)
                values.append(await getattr(op, method)())
            await after.wait()
            values.append("not cancelled")
        assert values == ["inner"] and outer.cancelled_caught
        assert op.cancelled == 0
        await goes_on()

    run_anyio(backend, main)


@every_backend
@every
def test_inner_scope_that_is_cancelled_leaves_the_outer_one_alone(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel=on_cancel)
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as outer:
                with anyio.move_on_after(60) as inner:
                    group.start_soon(expire_and_resolve, inner, op, method, on_cancel)
                    await getattr(op, method)()
                assert inner.cancel_called
                await goes_on()
            assert not outer.cancelled_caught
        await goes_on()

    run_anyio(backend, main)


@every_backend
@every
def test_outer_scope_that_is_cancelled_second_is_left_too(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel=on_cancel)
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as outer:
                with anyio.CancelScope() as inner:
                    group.start_soon(cancel_both, inner, outer, op)
                    await getattr(op, method)()
                await anyio.sleep(0)
                raise AssertionError("not cancelled")
            assert outer.cancelled_caught
            await goes_on()
        assert op.cancelled == told_once(method, on_cancel)

    async def cancel_both(inner: anyio.CancelScope, outer: anyio.CancelScope, op: Any) -> None:
        while not op.started:
            await anyio.sleep(0)
        inner.cancel()
        await anyio.sleep(0)
        outer.cancel()
        await resolve_when_told(op, method, on_cancel)

    run_anyio(backend, main)


@every_backend
def test_future_with_a_cancel_of_its_own_is_asked_once_by_any_number_of_scopes(backend: str) -> None:
    """A promise would hide a second call; this future counts every call."""

    async def main() -> None:
        gate = t.Gate()
        scopes = [anyio.CancelScope() for _ in range(3)]

        async def waiter() -> None:
            with scopes[0], scopes[1], scopes[2]:
                await gate.wait_asked()

        async with anyio.create_task_group() as group:
            group.start_soon(waiter)
            await settle()
            for scope in reversed(scopes):
                scope.cancel()
                await settle()
            assert gate.cancels == 1
            gate.open()
        assert gate.cancels == 1
        gate.drop()

    run_anyio(backend, main)


# --- groups ---


@every_backend
@every
def test_group_that_is_cancelled_ends_all_and_tells_each_once(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        ops = [t.Op(on_cancel=on_cancel) for _ in range(20)]
        async with anyio.create_task_group() as group:
            for op in ops:
                group.start_soon(getattr(op, method))
            await settle()
            group.cancel_scope.cancel()
            await settle()
            assert [op.cancelled for op in ops] == [told_once(method, on_cancel)] * 20
            t.resolve_many(ops, 1000)
        assert [op.cancelled for op in ops] == [told_once(method, on_cancel)] * 20
        await goes_on()

    run_anyio(backend, main)


@every_backend
@shielded
def test_group_waits_for_its_shielded_operations(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel=on_cancel)
        async with anyio.create_task_group() as group:
            group.start_soon(getattr(op, method))
            await settle()
            group.cancel_scope.cancel()
            op.resolve_later(2000)
        assert (op.cancelled, op.freed) == (0, 1)

    run_anyio(backend, main)


@every_backend
def test_operation_that_fails_cancels_its_siblings_once(backend: str) -> None:
    async def main() -> None:
        failing, sibling = t.Op(), t.Op(on_cancel="resolves")
        with pytest.raises(BaseException) as caught:
            async with anyio.create_task_group() as group:
                group.start_soon(sibling.wait)
                group.start_soon(failing.wait)
                await settle()
                failing.resolve(-32)
        assert [type(one) for one in caught.value.exceptions] == [BrokenPipeError]
        assert (sibling.cancelled, sibling.freed) == (1, 1)
        await goes_on()

    run_anyio(backend, main)


# --- threads ---


@every_backend
def test_thread_awaits_operations_by_from_thread_run(backend: str) -> None:
    def in_thread() -> list[Any]:
        return [anyio.from_thread.run(value_of, n) for n in range(10)]

    async def value_of(n: int) -> Any:
        op = t.Op(n)
        op.resolve_later(100)
        return await op.wait()

    async def main() -> None:
        assert await anyio.to_thread.run_sync(in_thread) == list(range(10))

    run_anyio(backend, main)


@every_backend
def test_thread_resolves_what_a_task_waits_for(backend: str) -> None:
    async def main() -> None:
        op = t.Op("from a thread")
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, lambda: op.resolve_later(0))
            assert await op.wait() == "from a thread"

    run_anyio(backend, main)


# --- asyncio's own cancel beside a scope's ---


@on_asyncio
def test_cancel_of_the_task_while_a_cancelled_scope_waits_detaches(backend: str) -> None:
    async def main() -> None:
        op, left = t.Op(on_cancel="ignored"), []

        async def waiter() -> None:
            with anyio.CancelScope() as scope:
                scopes.append(scope)
                await op.wait()
            left.append(True)

        scopes: list[anyio.CancelScope] = []
        task = asyncio.ensure_future(waiter())
        await settle()
        scopes[0].cancel()
        await settle()
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        assert (op.cancelled, op.resolved, op.freed) == (1, 0, 0)
        op.resolve()
        assert op.freed == 1

    run_anyio(backend, main)


@on_asyncio
def test_task_that_throws_into_the_coroutine_of_another_keeps_its_own_scopes(backend: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait()
        task = asyncio.ensure_future(awaiter(coroutine))
        await settle()
        with anyio.move_on_after(60) as scope:
            coroutine.throw(asyncio.CancelledError())
            op.resolve()
            await asyncio.wait([task])
            assert task.cancelled() and op.freed == 1
            scope.cancel()
            await anyio.sleep(1)
        assert scope.cancelled_caught
        await goes_on()

    async def awaiter(coroutine: Any) -> None:
        await coroutine

    run_anyio(backend, main)
