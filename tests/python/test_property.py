"""Random sequences of everything that can be done to a coroutine, against a model: never a crash or a hang, the same
outcome as the model's, the future freed exactly once, the native side told at most once."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import _cawait_test as t
import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import strategies as st  # noqa: E402

settings = hypothesis.settings(
    max_examples=200,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)

# Outcomes of one action: what was returned or raised, in a form that can be compared.
YIELDS = "yields"
BUSY = RuntimeError, "coroutine is being awaited already"
REUSED = RuntimeError, "cannot reuse already awaited coroutine"
NOT_STARTED = TypeError, "can't send non-None value to a just-started coroutine"
CANCELLED = asyncio.CancelledError, "cancelled"

METHODS = {
    "wait": None,  # the default: waits where the native side can be asked, else detaches
    "wait_nogil": None,
    "wait_waiting": "wait",
    "wait_detached": "detach",
    "wait_shielded": "shield",
}
ON_CANCEL = ["none", "resolves", "value", "ignored"]


@dataclass
class Model:
    """What a coroutine of an Op must do. Its steps have the names of the actions."""

    method: str
    on_cancel: str
    state: str = "created"
    started: bool = False  # the native operation
    resolved: bool = False
    status: int = 0
    told: bool = False
    heard: int = 0  # how often its on_cancel was called
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
class Real:
    """The same on a real coroutine, inside a task."""

    method: str
    on_cancel: str
    callbacks: int = 0
    op: Any = field(init=False)
    coroutine: Any = field(init=False)

    def __post_init__(self) -> None:
        self.op = t.Op("value", on_cancel=self.on_cancel)
        self.coroutine = getattr(self.op, self.method)()

    def resolve(self, status: int) -> Any:
        return self.op.resolve(status)

    def send(self, value: Any) -> Any:
        return self.resume(lambda: self.coroutine.send(value))

    def next(self) -> Any:
        return self.resume(lambda: next(self.coroutine))

    def throw(self, exception: BaseException) -> Any:
        return self.resume(lambda: self.coroutine.throw(exception))

    def resume(self, function: Callable[[], Any]) -> Any:
        park = function()
        assert park is self.coroutine.cr_await
        assert park._asyncio_future_blocking
        park._asyncio_future_blocking = False
        return YIELDS

    def await_(self) -> Any:
        return "an iterator" if self.coroutine.__await__() is self.coroutine else "something else"

    def close(self) -> Any:
        return self.coroutine.close()

    async def turn(self) -> Any:
        for _ in range(3):
            await asyncio.sleep(0)
        return None

    def called(self, park: Any) -> None:
        self.callbacks += 1

    def listen(self) -> Any:
        park = self.coroutine.cr_await
        if park is None:
            return "no park"
        return park.add_done_callback(self.called, context=contextvars.copy_context())

    def cancel(self) -> Any:
        park = self.coroutine.cr_await
        return "no park" if park is None else park.cancel("cancelled")

    def collect(self) -> Any:
        gc.collect()

    def look(self) -> Any:
        state = repr(self.coroutine)
        for name, words in [
            ("created", ["created"]),
            ("suspended", ["suspended", "being cancelled", "resuming"]),
            ("closed", ["closed"]),
        ]:
            if any(f"{word})" in state for word in words):
                return name
        return state


# How likely each action is: most of what ends a coroutine is rare, so that sequences get long.
WEIGHTS = {
    ("send", None): 5,
    ("send", 1): 1,
    ("next",): 1,
    ("await_",): 1,
    ("throw", "CancelledError"): 4,
    ("throw", "KeyError"): 1,
    ("throw", "GeneratorExit"): 1,
    ("close",): 1,
    ("resolve", 0): 2,
    ("resolve", -2): 1,
    ("resolve", -125): 1,
    ("turn",): 4,
    ("listen",): 3,
    ("cancel",): 3,
    ("collect",): 1,
    ("look",): 2,
}
ACTIONS = st.sampled_from([action for action, weight in WEIGHTS.items() for _ in range(weight)])
EXCEPTIONS = {
    "KeyError": lambda: KeyError("k"),
    "CancelledError": lambda: asyncio.CancelledError("cancelled"),
    "GeneratorExit": lambda: GeneratorExit("g"),
}


@pytest.fixture
def prompt_run(run: Callable[..., Any], loop_kind: str) -> Callable[..., Any]:
    """Like run, on a loop where a few turns are enough for a wake to arrive."""
    if loop_kind == "no_reader":
        pytest.skip("a helper thread decides when a wake arrives")
    return run


def argument(action: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of an action; a new exception for each use."""
    return (EXCEPTIONS[action[1]](),) if action[0] == "throw" else action[1:]


async def outcome(one: Any, action: tuple[Any, ...]) -> Any:
    """Do it; what came of it."""
    try:
        result = getattr(one, action[0])(*argument(action))
        return await result if asyncio.iscoroutine(result) else result
    except StopIteration as stop:
        return StopIteration, stop.value
    except (RuntimeError, TypeError, KeyError, OSError, asyncio.CancelledError, GeneratorExit) as error:
        return type(error), str(error)


async def play(method: str, on_cancel: str, actions: list[tuple[Any, ...]]) -> None:
    """Do all on both sides and compare; then end it, and see that nothing is left."""
    before = t.live_futures()
    model, real = Model(method, on_cancel), Real(method, on_cancel)
    for i, action in enumerate(actions):
        expected, found = await outcome(model, action), await outcome(real, action)
        assert found == expected, (i, action, actions)
        assert real.op.freed <= 1 and real.op.cancelled <= 1
        assert real.op.started == model.started
        assert real.op.cancelled == model.heard
    await real.turn()
    model.turn()
    assert real.callbacks == model.callbacks
    op = real.op
    if op.started == 0:
        real.coroutine.close()
    del real.coroutine
    await real.turn()
    gc.collect()
    op.resolve()
    await real.turn()
    gc.collect()
    assert (op.freed, op.cancelled <= 1, op.resolved) == (1, True, op.started)
    assert t.live_futures() == before


@settings
@hypothesis.given(st.sampled_from(sorted(METHODS)), st.sampled_from(ON_CANCEL), st.lists(ACTIONS, max_size=25))
def test_coroutine_does_what_the_model_does(
    prompt_run: Callable[..., Any], method: str, on_cancel: str, actions: list[tuple[Any, ...]]
) -> None:
    prompt_run(play, method, on_cancel, actions)


# --- a future that only keeps its waker ---

GATE_ACTIONS = st.sampled_from(
    [("send",)] * 4 + [("turn",)] * 4 + [("wake", 1), ("wake", 2), ("wake", 3)] * 2 + [("open", 1), ("drop",), ("close",)]
)


@dataclass
class GateModel:
    """A coroutine of a Gate: polled once for each send that was allowed."""

    state: str = "created"
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
        self.polls += 1
        self.has_waker = True
        self.state = "closed" if self.open else "suspended"
        return (StopIteration, None) if self.open else YIELDS


async def gate_outcome(gate: Any, coroutine: Any, action: tuple[Any, ...]) -> Any:
    """Do it to a real one."""
    name = action[0]
    try:
        if name == "send":
            coroutine.send(None)
            return YIELDS
        if name == "turn":
            for _ in range(3):
                await asyncio.sleep(0)
        elif name == "close":
            coroutine.close()
        else:
            getattr(gate, name)(*action[1:])
    except StopIteration as stop:
        return StopIteration, stop.value
    except RuntimeError as error:
        return RuntimeError, str(error)
    return None


async def play_gate(actions: list[tuple[Any, ...]]) -> None:
    """Compare, then let the waker outlive the coroutine."""
    before = t.live_futures()
    gate, model = t.Gate(), GateModel()
    coroutine = gate.wait()
    for i, action in enumerate(actions):
        expected = getattr(model, "open_" if action[0] == "open" else action[0])()
        assert await gate_outcome(gate, coroutine, action) == expected, (i, action, actions)
        assert gate.polls == model.polls
    coroutine.close()
    del coroutine
    gate.wake(2)
    await asyncio.sleep(0)
    gate.drop()
    gate.wake()
    assert gate.polls == model.polls
    assert t.live_futures() == before


@settings
@hypothesis.given(st.lists(GATE_ACTIONS, max_size=25))
def test_wakes_at_any_time_are_neither_lost_nor_doubled(prompt_run: Callable[..., Any], actions: list[Any]) -> None:
    prompt_run(play_gate, actions)


# --- tasks ---

TASK_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["cancel", "resolve", "resolve_later", "close", "collect", "turn", "forget"]), st.integers(0, 3)
    ),
    max_size=20,
)


async def user(coroutine: Any, values: list[Any]) -> None:
    """An awaiter in Python."""
    values.append(await coroutine)


async def play_tasks(kinds: list[tuple[str, str]], actions: list[tuple[str, int]]) -> None:
    """Four operations with a task each, and anything may happen to each of them; in the end all tasks end."""
    before = t.live_futures()
    values: list[Any] = []
    ops = [t.Op(i, on_cancel=on_cancel) for i, (_, on_cancel) in enumerate(kinds)]
    coroutines = [getattr(op, method)() for op, (method, _) in zip(ops, kinds)]
    tasks = [asyncio.ensure_future(user(coroutine, values)) for coroutine in coroutines]
    await asyncio.sleep(0)
    for name, i in actions:
        if name == "cancel":
            tasks[i].cancel("cancelled")
        elif name == "resolve":
            ops[i].resolve()
        elif name == "resolve_later":
            ops[i].resolve_later(50)
        elif name == "close" and coroutines[i]:
            coroutines[i].close()
        elif name == "collect":
            gc.collect()
        elif name == "turn":
            await asyncio.sleep(0)
        elif name == "forget":
            coroutines[i] = None
    while not all(task.done() for task in tasks):
        for op in ops:
            op.resolve()
        await asyncio.sleep(0)
    for task, i in zip(tasks, range(4)):
        assert task.cancelled() or isinstance(task.exception(), RuntimeError) or i in values
        assert not (task.cancelled() and i in values)
    del tasks, task, coroutines
    for op in ops:
        op.resolve()
    await asyncio.sleep(0)
    gc.collect()
    for op in ops:
        assert (op.freed, op.cancelled <= 1) == (1, True)
    assert t.live_futures() == before


@settings
@hypothesis.given(
    st.lists(st.tuples(st.sampled_from(sorted(METHODS)), st.sampled_from(ON_CANCEL)), min_size=4, max_size=4),
    TASK_ACTIONS,
)
def test_tasks_end_whatever_happens_to_their_operations(
    run: Callable[..., Any], kinds: list[tuple[str, str]], actions: list[tuple[str, int]]
) -> None:
    run(play_tasks, kinds, actions)
