"""An exception thrown into a coroutine by hand comes out of it and cancels; a cancellation follows the policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import ended, started, suspended
from support.policies import every

# --- any exception ---


@every
def test_other_exception_thrown_in_comes_out_and_cancels(run: Callable[..., Any], method: str, on_cancel: str) -> None:
    async def throw(error: BaseException) -> None:
        op = t.Op(on_cancel=on_cancel)
        coroutine = await suspended(getattr(op, method)())
        with pytest.raises(type(error)) as caught:
            coroutine.throw(error)
        assert caught.value is error
        assert op.cancelled == (1 if on_cancel == "ignored" and method != "wait_shielded" else 0)
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            coroutine.send(None)
        op.resolve()
        assert op.freed == 1

    async def main() -> None:
        for error in (ZeroDivisionError("x"), GeneratorExit(), KeyboardInterrupt(), SystemExit(3)):
            await throw(error)

    run(main)


def test_exception_thrown_into_a_new_coroutine_starts_nothing() -> None:
    op = t.Op(on_cancel="ignored")
    coroutine = op.wait()
    with pytest.raises(ZeroDivisionError):
        coroutine.throw(ZeroDivisionError)
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.throw(ZeroDivisionError)


def test_throw_into_a_coroutine_that_a_task_awaits_wakes_it_with_an_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait()
        task = await started(coroutine)
        with pytest.raises(ZeroDivisionError):
            coroutine.throw(ZeroDivisionError("thrown in"))
        assert isinstance(await ended(task), RuntimeError)
        op.resolve()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


@pytest.mark.parametrize("state", ["created", "suspended"])
def test_stop_iteration_thrown_in_becomes_a_runtime_error(run: Callable[..., Any], state: str) -> None:
    """As in a Python coroutine that has started. One that has not started lets it through on 3.12 and later."""

    async def main() -> None:
        op = t.Op(on_cancel="resolves")
        coroutine = op.wait() if state == "created" else await suspended(op.wait())
        with pytest.raises(RuntimeError, match="coroutine raised StopIteration") as caught:
            coroutine.throw(StopIteration(3))
        assert isinstance(caught.value.__cause__, StopIteration)
        assert caught.value.__cause__ is caught.value.__context__

    run(main)


@pytest.mark.filterwarnings("ignore:the .type, exc, tb. signature:DeprecationWarning")
def test_throw_puts_the_given_traceback_below() -> None:
    try:
        raise ValueError
    except ValueError as error:
        given = error.__traceback__
    coroutine = t.ready(1)
    with pytest.raises(KeyError) as caught:
        coroutine.throw(KeyError("k"), None, given)
    frames = []
    here = caught.value.__traceback__
    while here:
        frames.append(here)
        here = here.tb_next
    assert given in frames


# --- a cancellation ---


def test_cancellation_thrown_in_by_hand_waits_and_the_second_one_detaches(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = await suspended(op.wait())
        assert coroutine.throw(asyncio.CancelledError("one")) is not None
        assert op.cancelled == 1 and coroutine.cr_suspended
        with pytest.raises(asyncio.CancelledError, match="two"):
            coroutine.throw(asyncio.CancelledError("two"))
        assert (op.cancelled, op.freed) == (1, 0)
        op.resolve()
        assert op.freed == 1

    run(main)


def test_cancellation_thrown_in_by_hand_never_ends_a_shielded_one(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        coroutine = await suspended(op.wait_shielded())
        for n in range(3):
            assert coroutine.throw(asyncio.CancelledError(n)) is not None
        op.resolve()
        with pytest.raises(asyncio.CancelledError, match="3"):
            coroutine.throw(asyncio.CancelledError(3))
        assert (op.cancelled, op.freed) == (0, 1)

    run(main)
