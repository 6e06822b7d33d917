"""asyncio's ways to await several at once, and to shield one: gather, wait, as_completed, shield, TaskGroup."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import cancelled, ended, resolve_once, resolved_soon, seeing, settle, since_311, started

# --- gather ---


def test_gather_takes_many(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> Any:
        ops = [t.Op(i) for i in range(100)]
        waiting = asyncio.gather(*[op.wait() for op in ops], t.ready("last"))
        await asyncio.sleep(0)
        for op in reversed(ops):
            op.resolve()
        return await waiting

    assert run_asyncio(main) == [*range(100), "last"]


def test_gather_takes_the_same_one_twice(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> Any:
        coroutine = t.ready(5)
        return await asyncio.gather(coroutine, coroutine)

    assert run_asyncio(main) == [5, 5]


def test_gather_takes_what_was_cancelled_as_a_result(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        kept, lost = t.Op("kept"), t.Op(on_cancel="resolves")
        task = await started(lost.wait())
        gathering = asyncio.gather(kept.wait(), task, return_exceptions=True)
        await settle()
        task.cancel()
        kept.resolve()
        value, error = await gathering
        assert value == "kept" and type(error) is asyncio.CancelledError

    run_asyncio(main)


def test_cancelled_gather_tells_every_operation_once(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        ops = [t.Op(on_cancel="resolves") for _ in range(20)]
        gathering = await started(seeing(asyncio.gather(*[op.wait() for op in ops]), []))
        gathering.cancel()
        assert await ended(gathering) == "cancelled"
        assert [op.cancelled for op in ops] == [1] * 20 and [op.freed for op in ops] == [1] * 20

    run_asyncio(main)


# --- wait and as_completed ---


def test_wait_and_as_completed_take_tasks_of_it(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        first, second = t.Op("first"), t.Op("second")
        tasks = [asyncio.ensure_future(op.wait()) for op in (first, second)]
        await asyncio.sleep(0)
        second.resolve()
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert done == {tasks[1]} and pending == {tasks[0]}
        first.resolve()
        assert {await one for one in asyncio.as_completed([*tasks, t.ready("third")])} == {"first", "second", "third"}

    run_asyncio(main)


def test_as_completed_goes_by_completion(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        ops = [t.Op(n, on_cancel="ignored") for n in range(3)]
        tasks = [await started(op.wait()) for op in ops]
        values = []
        ops[1].resolve()
        for soon in asyncio.as_completed(tasks):
            values.append(await soon)
            ops[0 if values == [1] else 2].resolve()
        assert values == [1, 0, 2]
        assert [op.cancelled for op in ops] == [0] * 3

    run_asyncio(main)


def test_as_completed_that_times_out_leaves_the_operations_alone(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        ops = [t.Op(n, on_cancel="resolves") for n in range(3)]
        tasks = [await started(op.wait()) for op in ops]
        with pytest.raises(asyncio.TimeoutError):
            for soon in asyncio.as_completed(tasks, timeout=0.005):
                await soon
        assert not any(task.done() for task in tasks) and [op.cancelled for op in ops] == [0] * 3
        ops[1].resolve()
        assert await tasks[1] == 1
        await cancelled(tasks[0], tasks[2])
        assert [op.cancelled for op in ops] == [1, 0, 1] and [op.freed for op in ops] == [1] * 3

    run_asyncio(main)


# --- shield ---


def test_shield_gives_the_value(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> Any:
        return await asyncio.shield(resolved_soon(t.Op("value"))), await asyncio.shield(t.ready(5))

    assert run_asyncio(main) == ("value", 5)


def test_asyncio_shield_keeps_the_operation_going(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op("kept", on_cancel="ignored")
        inner = await started(op.wait())
        outer = await started(seeing(asyncio.shield(inner), []))
        outer.cancel()
        assert await ended(outer) == "cancelled"
        assert op.cancelled == 0 and not inner.done()
        op.resolve()
        assert await inner == "kept"

    run_asyncio(main)


# --- TaskGroup ---


@since_311
def test_task_group_waits_for_it(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> Any:
        op = t.Op("value")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(op.wait()), group.create_task(t.ready(5))]
            await asyncio.sleep(0)
            op.resolve()
        return [task.result() for task in tasks]

    assert run_asyncio(main) == ["value", 5]


@since_311
@pytest.mark.parametrize("start_status", [0, -2], ids=["resumed", "at its first step"])
def test_failing_sibling_in_a_task_group_cancels_the_others_once(
    run_asyncio: Callable[..., Any], start_status: int
) -> None:
    async def main() -> None:
        ops = [t.Op(on_cancel="resolves") for _ in range(5)]
        bad = t.Op(start_status=start_status)
        with pytest.raises(BaseExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                for op in ops:
                    group.create_task(op.wait())
                await settle()
                group.create_task(bad.wait())
                await settle()
                bad.resolve(-2)
        assert [type(error) for error in caught.value.exceptions] == [FileNotFoundError]
        assert [op.cancelled for op in ops] == [1] * 5 and [op.freed for op in ops] == [1] * 5

    run_asyncio(main)


@since_311
def test_task_group_waits_for_operations_that_have_to_end_first(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        resolving = asyncio.ensure_future(resolve_once(op, lambda: op.cancelled))
        with pytest.raises(BaseException) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(op.wait())
                await settle()
                raise KeyError("sibling")
        assert [type(error) for error in caught.value.exceptions] == [KeyError]
        assert (op.cancelled, op.resolved, op.freed) == (1, 1, 1)
        await resolving

    run_asyncio(main)
