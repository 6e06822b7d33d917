"""The three policies of cancellation, with which tests are repeated, as pairs (method of Op, its on_cancel)."""

from __future__ import annotations

from typing import Any

import pytest

from support.common import on_trio

WAITING = [("wait", "ignored"), ("wait_waiting", "ignored"), ("wait_waiting", "none")]
DETACHED = [("wait", "none"), ("wait_detached", "none"), ("wait_detached", "ignored")]
SHIELDED = [("wait_shielded", "none"), ("wait_shielded", "ignored")]
EVERY = [WAITING[0], WAITING[2], DETACHED[0], DETACHED[2], SHIELDED[1]]

waiting = pytest.mark.parametrize("method, on_cancel", WAITING)
detached = pytest.mark.parametrize("method, on_cancel", DETACHED)
shielded = pytest.mark.parametrize("method, on_cancel", SHIELDED)
every = pytest.mark.parametrize("method, on_cancel", EVERY)


def told(op: Any, on_cancel: str) -> bool:
    """Whether on_cancel was called once; where there is none, whether nothing was counted."""
    return op.cancelled == (0 if on_cancel == "none" else 1)


def after_cancel(method: str, value: Any) -> Any:
    """How a task ends after its operation was cancelled and has ended. On trio a shielded operation returns its value,
    and the next checkpoint raises."""
    return value if method == "wait_shielded" and on_trio() else "cancelled"
