"""A coroutine that is dropped before its first step: Python's warning comes, and nothing has run."""

from __future__ import annotations

import gc
import inspect
import sys
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import _cawait_test as t
from support.common import Value


def test_unawaited_coroutine_warns_and_nothing_ran() -> None:
    op = t.Op(on_cancel="ignored")
    with pytest.warns(RuntimeWarning, match="^coroutine 'Op.wait' was never awaited$"):
        op.wait()
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)


def test_unawaited_warning_says_where_it_was_created() -> None:
    text = r"(?s)'ready' was never awaited\nCoroutine created at .*test_never_awaited"
    sys.set_coroutine_origin_tracking_depth(3)
    try:
        with pytest.warns(RuntimeWarning, match=text):
            t.ready(1)
    finally:
        sys.set_coroutine_origin_tracking_depth(0)


def test_unawaited_warning_that_is_an_error_is_unraisable(unraisable: list[Any]) -> None:
    t.ready(1)
    assert len(unraisable) == 1
    assert "RuntimeWarning: coroutine 'ready' was never awaited" in unraisable[0]
    unraisable.clear()


def test_handler_of_the_warning_may_keep_the_coroutine() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        t.ready(1)
    assert len(caught) == 1
    kept = caught[0].source
    assert inspect.getcoroutinestate(kept) == "CORO_CLOSED"
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        kept.send(None)


def test_unawaited_cycle_is_collected_with_a_warning() -> None:
    op = t.Op(Value())
    op.value.coroutine = op.wait()
    reference = weakref.ref(op.value)
    del op
    with pytest.warns(RuntimeWarning, match="coroutine 'Op.wait' was never awaited") as warned:
        gc.collect()
    del warned  # a recorded warning keeps its source; since 3.15 weak references are cleared after finalizers
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("end", ["await", "close", "throw"])
def test_no_warning_once_it_was_used(run: Callable[..., Any], unraisable: list[Any], end: str) -> None:
    async def main() -> None:
        coroutine = t.ready(1)
        if end == "await":
            await coroutine
        elif end == "close":
            coroutine.close()
        else:
            with pytest.raises(KeyError):
                coroutine.throw(KeyError)

    run(main)
    assert not unraisable
