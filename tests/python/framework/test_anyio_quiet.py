"""A task that waits for its operation in a cancelled scope of anyio does not keep the loop busy, and is left unchanged.

On asyncio such a scope cancels its task again on every turn of the loop (anyio issues 1257 and 1258). That would be
some 10 000 turns in the 50 ms for which these operations go on after their cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import _cawait_test as t
from support.policies import SHIELDED, WAITING
from support.scopes import Turns, every_backend, not_cancelled, on_asyncio, run_anyio, run_counted

WAIT_MICROSECONDS = 50_000
FEW = 50  # turns

lasting = pytest.mark.parametrize("method, on_cancel", WAITING + SHIELDED)


class Waiter:
    """A task that waits for an operation after its scope was cancelled."""

    def __init__(self, method: str, on_cancel: str) -> None:
        self.op = t.Op("value", on_cancel=on_cancel)
        self.method = method
        self.scope = anyio.CancelScope()

    async def main(self) -> None:
        """Enter the scope and wait."""
        with self.scope:
            await getattr(self.op, self.method)()

    def resolve_later(self) -> None:
        """Resolve from a native thread, 50 ms from now."""
        self.op.resolve_later(WAIT_MICROSECONDS)


async def few_turns_while(turns: Turns, waiters: list[Waiter], cancel: Callable[[], None]) -> None:
    """Let the tasks wait, then cancel them: there are few turns until the last one ends. The scope around raises at the
    end."""
    before = 0
    try:
        async with anyio.create_task_group() as group:
            for waiter in waiters:
                group.start_soon(waiter.main)
            while not all(waiter.op.started for waiter in waiters):
                await anyio.sleep(0)
            cancel()
            for waiter in waiters:
                waiter.resolve_later()
            before = turns.count
    finally:
        assert turns.count - before < FEW
        assert all(waiter.op.freed == 1 for waiter in waiters)


@every_backend
@lasting
def test_cancelled_scope_does_not_spin_the_loop(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        waiter = Waiter(method, on_cancel)
        await few_turns_while(turns, [waiter], waiter.scope.cancel)
        assert waiter.op.cancelled == int(method != "wait_shielded" and on_cancel != "none")

    turns = Turns()
    run_counted(backend, turns, main)


@every_backend
@lasting
def test_cancelled_group_of_many_does_not_spin_the_loop(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        waiters = [Waiter(method, on_cancel) for _ in range(10)]
        with anyio.CancelScope() as scope:
            await few_turns_while(turns, waiters, scope.cancel)
        told = int(method != "wait_shielded" and on_cancel != "none")
        assert [waiter.op.cancelled for waiter in waiters] == [told] * 10

    turns = Turns()
    run_counted(backend, turns, main)


@every_backend
@lasting
def test_nested_scopes_that_are_both_cancelled_do_not_spin_the_loop(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        waiter = Waiter(method, on_cancel)
        with anyio.CancelScope() as outer, anyio.CancelScope():

            def cancel_both() -> None:
                waiter.scope.cancel()
                outer.cancel()

            await few_turns_while(turns, [waiter], cancel_both)

    turns = Turns()
    run_counted(backend, turns, main)


@every_backend
def test_turns_are_counted_at_all(backend: str) -> None:
    """Without this the tests above would prove nothing: a task that is cancelled again and again takes many turns."""

    async def main() -> None:
        before = turns.count
        for _ in range(FEW * 2):
            await anyio.lowlevel.checkpoint()
        assert turns.count - before >= FEW

    turns = Turns()
    run_counted(backend, turns, main)


# --- the task afterwards ---


@on_asyncio
@lasting
def test_task_is_afterwards_as_if_never_cancelled(backend: str, method: str, on_cancel: str) -> None:
    async def main() -> None:
        waiter = Waiter(method, on_cancel)

        async def cancel() -> None:
            while not waiter.op.started:
                await anyio.sleep(0)
            waiter.scope.cancel()
            with anyio.CancelScope(shield=True):
                for _ in range(10):
                    await anyio.sleep(0)
            waiter.op.resolve()

        async with anyio.create_task_group() as group:
            group.start_soon(cancel)
            await waiter.main()
            assert waiter.scope.cancelled_caught
            assert not_cancelled(asyncio.current_task())
            await anyio.sleep(0)
            with anyio.CancelScope():
                assert await t.ready("again") == "again"
            later = t.Op("later")
            later.resolve_later(100)
            assert await later.wait() == "later"
            assert anyio.get_cancelled_exc_class() is asyncio.CancelledError

    run_anyio(backend, main)


@on_asyncio
@lasting
def test_second_scope_works_after_one_that_was_cancelled(backend: str, method: str, on_cancel: str) -> None:
    """The stack of scopes of the task is as it was: the next one is entered, cancelled and left."""

    async def main() -> None:
        for _ in range(5):
            waiter = Waiter(method, on_cancel)
            async with anyio.create_task_group() as group:
                group.start_soon(waiter.main)
                while not waiter.op.started:
                    await anyio.sleep(0)
                waiter.scope.cancel()
                await anyio.sleep(0)
                await anyio.sleep(0)
                waiter.op.resolve()
            assert waiter.scope.cancelled_caught
            with anyio.move_on_after(0) as scope:
                await anyio.sleep(1)
            assert scope.cancelled_caught and not_cancelled(asyncio.current_task())

    run_anyio(backend, main)


@on_asyncio
@pytest.mark.parametrize("method, on_cancel", WAITING)
def test_cancel_of_the_task_itself_detaches_and_leaves_its_scopes(backend: str, method: str, on_cancel: str) -> None:
    """The second one wins, as without anyio: a cancel of the task is meant for all of it."""

    async def waiter(scope: anyio.CancelScope, op: Any) -> None:
        try:
            with scope:
                await getattr(op, method)()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0)
                ended.append(await t.ready("scopes are left"))

    async def main() -> None:
        op, scope = t.Op(on_cancel=on_cancel), anyio.CancelScope()
        task = asyncio.ensure_future(waiter(scope, op))
        while not op.started:
            await anyio.sleep(0)
        scope.cancel()
        for _ in range(10):
            await anyio.sleep(0)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        assert op.resolved == 0 and ended == ["scopes are left"]
        op.resolve()
        assert op.freed == 1 and op.cancelled <= 1

    ended: list[Any] = []
    run_anyio(backend, main)


@on_asyncio
@pytest.mark.parametrize("method, on_cancel", SHIELDED)
def test_cancel_of_the_task_itself_does_not_end_a_shielded_wait(backend: str, method: str, on_cancel: str) -> None:
    async def waiter(scope: anyio.CancelScope, op: Any) -> None:
        with scope:
            await getattr(op, method)()

    async def main() -> None:
        op, scope = t.Op(on_cancel=on_cancel), anyio.CancelScope()
        task = asyncio.ensure_future(waiter(scope, op))
        while not op.started:
            await anyio.sleep(0)
        scope.cancel()
        for _ in range(3):
            for _ in range(10):
                await anyio.sleep(0)
            task.cancel()
        assert not task.done()
        op.resolve()
        await asyncio.wait([task])
        assert (op.cancelled, op.freed) == (0, 1)

    run_anyio(backend, main)
