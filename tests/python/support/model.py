"""Models of a coroutine that coroutine/test_property.py compares with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

# Outcomes of one action: what was returned or raised, in a form that can be compared.
YIELDS = "yields"
BUSY = RuntimeError, "coroutine is being awaited already"
REUSED = RuntimeError, "cannot reuse already awaited coroutine"
NOT_STARTED = TypeError, "can't send non-None value to a just-started coroutine"
CANCELLED = asyncio.CancelledError, "cancelled"

METHODS = {
    "wait": None,  # the default: waits if there is an on_cancel, else detaches
    "wait_nogil": None,
    "wait_waiting": "wait",
    "wait_detached": "detach",
    "wait_shielded": "shield",
}
ON_CANCEL = ["none", "resolves", "value", "ignored"]


@dataclass
class Model:
    """The behaviour of a coroutine of an Op. The methods have the names of the actions."""

    method: str
    on_cancel: str
    state: str = "created"
    started: bool = False  # the native operation
    resolved: bool = False
    status: int = 0
    told: bool = False
    heard: int = 0  # how often on_cancel was called
    woken: bool = False
    cancelling: bool = False
    pending: bool = False  # a cancellation waits for the end of the operation
    detached: bool = False
    listening: bool = False
    wake_queued: bool = False  # resolved, and the loop has not turned since
    callbacks: int = 0

    @property
    def policy(self) -> str:
        return METHODS[self.method] or ("detach" if self.on_cancel == "none" else "wait")

    # the native side

    def resolve(self, status: int) -> Any:
        if not self.started or self.resolved:
            return False
        self.resolved, self.status = True, status
        self.wake_queued = True
        return True

    def tell(self) -> None:
        if self.told:
            return
        self.told = True
        self.heard = int(self.on_cancel != "none" and not self.resolved)
        if not self.resolved and self.on_cancel == "resolves":
            self.resolve(-125)
        elif not self.resolved and self.on_cancel == "value":
            self.resolve(0)

    # the coroutine

    def close_state(self) -> None:
        self.state = "closed"
        self.listening = False

    def abandon(self) -> None:
        if self.state == "suspended" and self.policy != "shield":
            self.tell()
        self.close_state()

    def poll(self) -> Any:
        self.woken = self.detached = False
        self.started = True
        if not self.resolved:
            self.state = "suspended"
            return YIELDS
        self.free_awaiter()
        self.close_state()
        if self.pending:
            return CANCELLED
        if self.status:
            return {-2: (FileNotFoundError, "[Errno 2] No such file or directory"), -125: (asyncio.CancelledError, "")}[
                self.status
            ]
        return StopIteration, "value"

    def send(self, value: Any) -> Any:
        if self.state == "closed":
            return REUSED
        if self.state == "created" and value is not None:
            return NOT_STARTED
        if self.state == "suspended" and not self.woken:
            return BUSY
        return self.poll()

    def next(self) -> Any:
        return self.send(None)

    def await_(self) -> Any:
        return BUSY if self.state == "suspended" else "an iterator"

    def free_awaiter(self) -> None:
        if self.listening and not self.woken:
            self.callbacks += 1
        self.listening = False

    def throw(self, exception: BaseException) -> Any:
        if self.state == "closed":
            return REUSED
        if self.state == "suspended" and isinstance(exception, asyncio.CancelledError) and self.waits_for_end():
            self.pending = self.cancelling = True
            if self.policy == "wait":
                self.tell()
            return self.poll()
        self.free_awaiter()
        self.abandon()
        return type(exception), str(exception)

    def waits_for_end(self) -> bool:
        if self.detached or self.policy == "detach":
            return False
        return self.policy == "shield" or not self.pending

    def close(self) -> Any:
        self.free_awaiter()
        self.abandon()
        return None

    # the event loop's side

    def turn(self) -> Any:
        if self.wake_queued and self.state == "suspended" and not self.woken:
            self.woken = True
            self.callbacks += self.listening
            self.listening = False
        self.wake_queued = False
        return None

    def listen(self) -> Any:
        if self.state != "suspended":
            return "no park"
        if self.listening:
            return BUSY
        if self.woken:
            self.callbacks += 1
        else:
            self.listening = True
        return None

    def cancel(self) -> Any:
        if self.state != "suspended":
            return "no park"
        if self.woken or self.policy == "shield":
            return False
        if self.policy == "wait" and not self.cancelling:
            self.cancelling = True
            self.tell()
            return False
        if self.policy == "detach":
            self.tell()
        self.free_awaiter()
        self.detached = self.woken = True
        return True

    def collect(self) -> Any:
        return None

    def look(self) -> Any:
        return self.state


@dataclass
class GateModel:
    """A coroutine of a Gate, which is polled once for each send that is allowed. On trio a coroutine that is ready at
    its first poll lets other tasks run first, and ends with the next send."""

    on_trio: bool
    state: str = "created"
    ended: bool = False
    open: bool = False
    has_waker: bool = False
    queued: bool = False
    woken: bool = False
    polls: int = 0

    def wake(self) -> None:
        self.queued = self.queued or (self.has_waker and self.state == "suspended")

    def open_(self) -> None:
        self.open = True
        self.wake()

    def drop(self) -> None:
        self.has_waker = False

    def turn(self) -> None:
        if self.queued and self.state == "suspended":
            self.woken = True
        self.queued = False

    def close(self) -> None:
        self.state = "closed"

    def send(self) -> Any:
        if self.state == "closed":
            return REUSED
        if self.state == "suspended" and not self.woken:
            return BUSY
        self.woken = False
        if not self.ended:
            self.polls += 1
            self.has_waker = True
        if self.open and self.state == "created" and self.on_trio:
            self.state, self.ended, self.woken = "suspended", True, True
            return YIELDS
        self.state = "closed" if self.open else "suspended"
        return (StopIteration, None) if self.open else YIELDS
