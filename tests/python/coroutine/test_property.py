"""Random sequences of everything that can be done to a coroutine, compared with a model: no crash, no hang, the same
outcomes, the future freed exactly once, on_cancel called at most once."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import _cawait_test as t
from support.children.asan import ASAN
from support.common import awaiting, on_trio, settle, spawn, turn, wait_until
from support.model import METHODS, ON_CANCEL, YIELDS, GateModel, Model

settings = hypothesis.settings(
    max_examples=40 if ASAN else 100,  # on each kind of framework
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)


@dataclass
class Real:
    """The actions on a real coroutine, inside a task."""

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
        return self.resume(lambda: next(self.coroutine.__await__()))

    def throw(self, exception: BaseException) -> Any:
        return self.resume(lambda: self.coroutine.throw(exception))

    def resume(self, function: Callable[[], Any]) -> Any:
        park = function()
        assert park is self.coroutine.cr_await
        assert park._asyncio_future_blocking
        park._asyncio_future_blocking = False
        return YIELDS

    def await_(self) -> Any:
        if self.coroutine.cr_suspended:
            awaiting(self.coroutine).send(None)  # refused before it is driven
        iterator = self.coroutine.__await__()
        return "an iterator" if iter(iterator) is iterator is not self.coroutine else "something else"

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


# How likely each action is: most actions that end a coroutine are rare, so that sequences get long.
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
def prompt_run(run_asyncio: Callable[..., Any], loop_kind: str) -> Callable[..., Any]:
    """Like run_asyncio, on a loop where a few turns are enough for a wake to arrive."""
    if loop_kind == "asyncio+no-reader":
        pytest.skip("on this kind a helper thread decides in which turn a wake arrives, which the model cannot know")
    return run_asyncio


def argument(action: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of an action, with a new exception for each use."""
    return (EXCEPTIONS[action[1]](),) if action[0] == "throw" else action[1:]


async def outcome(one: Any, action: tuple[Any, ...]) -> Any:
    """Do the action; return its outcome."""
    try:
        result = getattr(one, action[0])(*argument(action))
        return await result if asyncio.iscoroutine(result) else result
    except StopIteration as stop:
        return StopIteration, stop.value
    except (RuntimeError, TypeError, KeyError, OSError, asyncio.CancelledError, GeneratorExit) as error:
        return type(error), str(error)


async def play(method: str, on_cancel: str, actions: list[tuple[Any, ...]]) -> None:
    """Do all actions on both sides and compare. Then end the coroutine, and check that nothing is left."""
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
    [("send",)] * 4
    + [("turn",)] * 4
    + [("wake", 1), ("wake", 2), ("wake", 3)] * 2
    + [("open", 1), ("drop",), ("close",)]
)


async def gate_outcome(gate: Any, coroutine: Any, action: tuple[Any, ...]) -> Any:
    """Do the action on a real coroutine."""
    name = action[0]
    try:
        if name == "send":
            coroutine.send(None)
            return YIELDS
        if name == "turn":
            await settle()
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
    """Compare; then let the waker outlive the coroutine."""
    before = t.live_futures()
    gate, model = t.Gate(), GateModel(on_trio())
    coroutine = gate.wait()
    for i, action in enumerate(actions):
        expected = getattr(model, "open_" if action[0] == "open" else action[0])()
        assert await gate_outcome(gate, coroutine, action) == expected, (i, action, actions)
        assert gate.polls == model.polls
    coroutine.close()
    del coroutine
    gate.wake(2)
    await settle()
    gate.drop()
    gate.wake()
    assert gate.polls == model.polls
    assert t.live_futures() == before


@settings
@hypothesis.given(st.lists(GATE_ACTIONS, max_size=25))
def test_wakes_at_any_time_are_neither_lost_nor_doubled(
    run: Callable[..., Any], kind: str, actions: list[Any]
) -> None:
    if kind != "asyncio+no-reader":  # there it depends on another thread when a wake arrives
        run(play_gate, actions)


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
    """Four operations, each with a task, and anything may happen to each of them. In the end all tasks end."""
    before = t.live_futures()
    values: list[Any] = []
    ops = [t.Op(i, on_cancel=on_cancel) for i, (_, on_cancel) in enumerate(kinds)]
    coroutines = [getattr(op, method)() for op, (method, _) in zip(ops, kinds)]
    tasks = [spawn(user(coroutine, values)) for coroutine in coroutines]
    await turn()
    for name, i in actions:
        if name == "cancel":
            tasks[i].cancel()
        elif name == "resolve":
            ops[i].resolve()
        elif name == "resolve_later":
            ops[i].resolve_later(50)
        elif name == "close" and coroutines[i]:
            coroutines[i].close()
        elif name == "collect":
            gc.collect()
        elif name == "turn":
            await turn()
        elif name == "forget":
            coroutines[i] = None
    while not all(task.done() for task in tasks):
        for op in ops:
            op.resolve()
        await turn()
    for task, i in zip(tasks, range(4)):
        assert task.cancelled() or isinstance(task.exception(), RuntimeError) or i in values
        assert not (task.cancelled() and i in values)
    del tasks, task, coroutines
    for op in ops:
        op.resolve()
    await turn()
    gc.collect()
    # an operation that a native thread resolves is freed there
    wait_until(lambda: all(op.freed for op in ops) and t.live_futures() <= before)
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
