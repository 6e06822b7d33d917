"""The model of an async generator over a channel that generator/test_property.py compares with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

PENDING = "pending"
BUSY = RuntimeError, "coroutine is being awaited already"
STOP = StopAsyncIteration, ""
ERROR = FileNotFoundError, "[Errno 2] No such file or directory"
GONE = "gone"


def reused(kind: str) -> Any:
    """What a step answers that is over."""
    method = "__anext__()/asend()" if kind == "anext" else "aclose()/athrow()"
    return RuntimeError, f"cannot reuse already awaited {method}"


def running(kind: str) -> Any:
    """The outcome of a step while another one is pending."""
    return RuntimeError, f"{kind}(): asynchronous generator is already running"


def outcome_of(exception: BaseException) -> Any:
    """The outcome for an exception."""
    return type(exception), str(exception)


@dataclass
class StepModel:
    """An awaitable made by the generator."""

    kind: str
    value: Any = None  # what was sent
    state: str = "created"
    woken: bool = False
    cancel: BaseException | None = None  # a cancellation that waits for the next item, under `shield`


@dataclass
class GeneratorModel:
    """A generator of a Channel. Its methods have the names of the actions."""

    policy: str
    items: list[int] = field(default_factory=list)
    status: int | None = None  # of the producers' end
    cancelled: int = 0
    open: bool = True  # the stream is there
    held: bool = True  # the test refers to the generator
    started: bool = False
    kept: list[int] = field(default_factory=list)
    pending: StepModel | None = None
    wake_queued: bool = False
    steps: list[StepModel | None] = field(default_factory=list)

    @property
    def ag_running(self) -> bool:
        return self.pending is not None

    # the native side

    def put(self, value: int) -> Any:
        if not self.open or self.status is not None:
            return "closed"
        self.items.append(value)
        self.wake_queued = self.pending is not None
        return 0

    def end(self, status: int) -> Any:
        if not self.open or self.status is not None:
            return False
        self.status = status
        self.wake_queued = self.pending is not None
        return True

    def turn(self) -> None:
        if self.wake_queued and self.pending:
            self.pending.woken = True
        self.wake_queued = False

    # the generator

    def give_up(self) -> None:
        """The stream is cancelled and destroyed."""
        if self.open and self.status is None:
            self.cancelled = 1
        self.open = False
        self.items = []
        self.kept = []

    def over(self, step: StepModel) -> None:
        step.state = "over"
        if self.pending is step:
            self.pending = None

    def poll(self, step: StepModel) -> Any:
        """The next item, for a step that has begun."""
        self.started = True
        step.woken = False
        if self.kept:
            item = self.kept.pop()
        elif self.items:
            item = self.items.pop(0)
        elif self.status is not None:
            self.over(step)
            self.open = False
            return outcome_of(step.cancel) if step.cancel else ERROR if self.status else STOP
        else:
            step.state, self.pending = "pending", step
            return PENDING
        self.over(step)
        if step.cancel:
            self.kept = [item]
            return outcome_of(step.cancel)
        if item == -1:
            self.give_up()
            return LookupError, "no value"
        return "value", item

    def finish(self, step: StepModel) -> Any:
        """aclose() and athrow() of an open generator."""
        waits = self.policy in ("default", "wait", "keep") and self.started
        error = self.status if waits else 0
        self.over(step)
        self.give_up()
        if step.kind == "athrow":
            return KeyError, "'thrown'"
        return ERROR if error else ("value", None)

    # steps

    def make(self, kind: str) -> Any:
        if not self.held:
            return GONE
        self.steps.append(StepModel(kind))
        return None

    def send(self, i: int, value: Any) -> Any:
        step = self.steps[i]
        if step is None:
            return GONE
        if step.state == "over":
            return reused(step.kind)
        if step.state == "pending":
            return self.poll(step) if step.woken else BUSY
        if value is not None:
            if step.kind != "anext":
                return TypeError, "can't send non-None value to a just-started coroutine"
            step.value = value
        return self.begin(step)

    def begin(self, step: StepModel) -> Any:
        if self.pending:
            self.over(step)
            return running(step.kind)
        if not self.open:
            self.over(step)
            return STOP if step.kind == "anext" else ("value", None)
        if step.kind != "anext":
            return self.finish(step)
        if step.value is not None and not self.started:
            self.over(step)
            return TypeError, "can't send non-None value to a just-started async generator"
        return self.poll(step)

    def keeps(self, step: StepModel) -> bool:
        """Whether the stream stays as it is when the step is given up."""
        return self.policy == "keep" and step.kind == "anext"

    def throw(self, i: int, exception: BaseException) -> Any:
        step = self.steps[i]
        if step is None:
            return GONE
        if step.state == "over":
            return reused(step.kind)
        if self.keeps(step):
            self.over(step)
            return outcome_of(exception)
        if step.state == "created" and self.pending:
            self.over(step)
            return running(step.kind)
        if step.state == "pending" and self.policy == "shield" and isinstance(exception, asyncio.CancelledError):
            step.cancel = exception
            return self.poll(step)
        self.over(step)
        self.give_up()
        return outcome_of(exception)

    def close(self, i: int) -> Any:
        step = self.steps[i]
        if step is None:
            return GONE
        if step.state == "over":
            return None
        if self.keeps(step):
            self.over(step)
            return None
        if step.state == "created" and self.pending:
            self.over(step)
            return running(step.kind)
        self.over(step)
        self.give_up()
        return None

    def drop(self, i: int) -> Any:
        step, self.steps[i] = self.steps[i], None
        if step and step.state == "pending":
            self.over(step)
            if not self.keeps(step):
                self.give_up()
        self.collect()

    def forget(self) -> None:
        """The test drops the generator."""
        self.held = False
        self.collect()

    def collect(self) -> None:
        """A generator without references is collected."""
        if not self.held and all(step is None or step.state == "over" for step in self.steps):
            self.give_up()
