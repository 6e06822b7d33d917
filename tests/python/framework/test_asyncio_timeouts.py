"""asyncio's time limits around an operation: wait_for, timeout, timeout_at."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

import _cawait_test as t
from support.common import resolve_once, resolved_soon, since_311, started
from support.policies import told

# --- wait_for ---


async def begun(coroutine: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
    """An awaitable for wait_for that has begun before the time limit. From 3.12 on wait_for awaits a coroutine itself.
    Older versions made a task of it, which the limit could cancel before its first step."""
    return coroutine if sys.version_info >= (3, 12) else await started(coroutine)


def test_wait_for_gives_the_value_in_time(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op("in time")
        op.resolve_later(1000)
        assert await asyncio.wait_for(op.wait(), 60) == "in time"
        assert await asyncio.wait_for(resolved_soon(t.Op("value")), 20) == "value"
        assert await asyncio.wait_for(t.ready(5), 20) == 5

    run_asyncio(main)


@pytest.mark.parametrize("method, on_cancel", [("wait", "resolves"), ("wait", "none"), ("wait_detached", "ignored")])
def test_wait_for_times_out(run_asyncio: Callable[..., Any], method: str, on_cancel: str) -> None:
    async def main() -> None:
        op = t.Op(on_cancel=on_cancel)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(await begun(getattr(op, method)()), 0.005)
        assert told(op, on_cancel)
        assert op.resolve() == (on_cancel != "resolves")
        assert op.freed == 1

    run_asyncio(main)


def test_wait_for_waits_for_an_operation_that_has_to_end_first(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        resolving = asyncio.ensure_future(resolve_once(op, lambda: op.cancelled))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(await begun(op.wait()), 0.005)
        assert (op.cancelled, op.resolved, op.freed) == (1, 1, 1)
        await resolving

    run_asyncio(main)


# --- timeout ---


@since_311
def test_asyncio_timeout_that_does_not_expire_changes_nothing(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op("in time", on_cancel="ignored")
        op.resolve_later(500)
        async with asyncio.timeout(60):
            assert await op.wait() == "in time"
            assert await t.ready(5) == 5
        assert op.cancelled == 0

    run_asyncio(main)


@since_311
@pytest.mark.parametrize(
    "method, on_cancel", [("wait", "resolves"), ("wait", "none"), ("wait", "value"), ("wait_detached", "ignored")]
)
def test_asyncio_timeout_times_out_and_the_task_goes_on(
    run_asyncio: Callable[..., Any], method: str, on_cancel: str
) -> None:
    async def main() -> None:
        op, after = t.Op(on_cancel=on_cancel), t.Op("after")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await getattr(op, method)()
        assert asyncio.current_task().cancelling() == 0 and told(op, on_cancel)
        op.resolve()
        after.resolve_later(500)
        assert await after.wait() == "after"
        assert op.freed == 1

    run_asyncio(main)


@since_311
def test_asyncio_timeout_at_in_the_past_times_out(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="resolves")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time() - 1):
                await op.wait()
        assert op.cancelled == op.started

    run_asyncio(main)


@since_311
def test_asyncio_timeout_around_a_shielded_operation_waits_for_its_end(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005) as limit:
                resolving = asyncio.ensure_future(resolve_once(op, limit.expired))
                await op.wait_shielded()
        assert (op.cancelled, op.resolved, op.freed) == (0, 1, 1)
        await resolving

    run_asyncio(main)
