"""Random sequences of everything that can be done to an async generator, its steps and its native side, compared with a
model: the same outcomes, cancel called at most once, nothing left."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

import _cawait_test as t
from support.children.asan import ASAN
from support.common import all_ended, spawn, turn
from support.generator_model import GONE, GeneratorModel
from support.kinds import kind_fixture
from support.twin import turns

settings = hypothesis.settings(
    max_examples=20 if ASAN else 40,  # on each kind of framework
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)

POLICIES = ["default", "wait", "detach", "shield", "keep"]
N = 3  # steps at a time


class Real:
    """The actions on a real generator, driven by hand."""

    def __init__(self, policy: str) -> None:
        self.channel = t.Channel(100)
        self.generator: Any = self.channel.generator(cancel=policy)
        self.steps: list[Any] = []

    def put(self, value: int) -> Any:
        return "closed" if self.channel.try_send(value) < 0 else 0

    def end(self, status: int) -> Any:
        return self.channel.close(status)

    async def turn(self) -> None:
        await turns()

    def make(self, kind: str) -> Any:
        if not self.generator:
            return GONE
        make = {"anext": self.generator.__anext__, "aclose": self.generator.aclose}
        make["athrow"] = lambda: self.generator.athrow(KeyError("thrown"))
        self.steps.append(make[kind]())
        return None

    def send(self, i: int, value: Any) -> Any:
        return self.steps[i].send(value) and "pending" if self.steps[i] else GONE

    def throw(self, i: int, exception: BaseException) -> Any:
        return self.steps[i].throw(exception) and "pending" if self.steps[i] else GONE

    def close(self, i: int) -> Any:
        return self.steps[i].close() if self.steps[i] else GONE

    def drop(self, i: int) -> None:
        self.steps[i] = None

    def forget(self) -> None:
        self.generator = None

    def collect(self) -> None:
        gc.collect()


step_numbers = st.integers(0, N - 1)
EXCEPTIONS = {
    "KeyError": lambda: KeyError("k"),
    "CancelledError": lambda: asyncio.CancelledError("c"),
    "GeneratorExit": lambda: GeneratorExit("g"),
}
ACTIONS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from([1, 2, 3, -1])),
    st.tuples(st.just("put"), st.sampled_from([4, 5])),
    st.tuples(st.just("turn")),
    st.tuples(st.just("turn")),
    st.tuples(st.just("make"), st.sampled_from(["anext", "anext", "anext", "aclose", "athrow"])),
    st.tuples(st.just("send"), step_numbers, st.none()),
    st.tuples(st.just("send"), step_numbers, st.none()),
    st.tuples(st.just("send"), step_numbers, st.sampled_from([None, "value"])),
    st.tuples(st.just("throw"), step_numbers, st.sampled_from(["CancelledError", *EXCEPTIONS])),
    st.tuples(st.just("close"), step_numbers),
    st.tuples(st.just("drop"), step_numbers),
    st.tuples(st.sampled_from(["collect", "collect", "forget"])),
    st.tuples(st.just("end"), st.sampled_from([0, -2])),
)


async def outcome(one: Any, action: tuple[Any, ...]) -> Any:
    """Do the action; return its outcome."""
    name, *args = action
    if name == "throw":
        args[1] = EXCEPTIONS[args[1]]()
    try:
        result = getattr(one, name)(*args)
        return await result if asyncio.iscoroutine(result) else result
    except StopIteration as stop:
        return "value", stop.value
    except (RuntimeError, TypeError, LookupError, OSError, asyncio.CancelledError, GeneratorExit) as error:
        return type(error), str(error)
    except StopAsyncIteration as error:
        return type(error), str(error)


def possible(model: GeneratorModel, action: tuple[Any, ...]) -> bool:
    """Whether the action is possible: the step exists, or fewer than N steps were made."""
    if action[0] == "make":
        return len(model.steps) < N
    return action[0] not in ("send", "throw", "close", "drop") or action[1] < len(model.steps)


async def play(policy: str, actions: list[tuple[Any, ...]]) -> None:
    """Do all actions on both sides and compare. Then drop the generator, and check that nothing is left."""
    before = t.live_futures()
    model, real = GeneratorModel(policy), Real(policy)
    for i, action in enumerate(actions):
        if not possible(model, action):
            continue
        expected, found = await outcome(model, action), await outcome(real, action)
        model.collect()
        assert found == expected, (i, action, actions)
        assert real.channel.cancelled == model.cancelled, (i, action, actions)
        assert not real.generator or real.generator.ag_running == model.ag_running, (i, action, actions)
    channel = real.channel
    del real
    await turns()
    gc.collect()
    assert channel.cancelled == (model.cancelled or (model.open and model.status is None))
    channel.release()
    assert channel.freed == 1
    assert t.live_futures() == before


# A few turns are enough for a wake to arrive, except on a loop without add_reader. Driven by hand, the other kinds are
# the same.
loop_kind = kind_fixture(["asyncio", "uvloop"])


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@settings
@hypothesis.given(st.sampled_from(POLICIES), st.lists(ACTIONS, max_size=30))
def test_generator_does_what_the_model_does(
    run_asyncio: Callable[..., Any], policy: str, actions: list[tuple[Any, ...]]
) -> None:
    run_asyncio(play, policy, actions)


# --- tasks ---

TASK_ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "put", "turn", "turn", "feed", "collect", "forget"])),
        st.tuples(st.sampled_from(["anext", "anext", "anext", "aclose", "athrow", "lists"])),
        st.tuples(st.just("cancel"), st.integers(0, 4)),
        st.tuples(st.just("end"), st.sampled_from([0, -2])),
    ),
    max_size=20,
)


async def play_tasks(options: dict[str, Any], actions: list[tuple[Any, ...]]) -> None:
    """Tasks that take items, close, throw and are cancelled, in any order. All end once the native side has ended, no
    item comes twice, and items come in order."""
    before = t.live_futures()
    channel = t.Channel(50)
    generator: Any = channel.generator(**options)
    tasks: list[Any] = []
    seen: list[int] = []
    sent = 0

    async def one_item(generator: Any) -> None:
        item = await anext(generator)
        seen.extend(item if isinstance(item, list) else [item])

    async def all_items(generator: Any) -> None:
        async for item in generator:
            seen.extend(item if isinstance(item, list) else [item])

    for name, *args in actions:
        if name == "put":
            sent += 1
            channel.try_send(sent)
        elif name == "feed":
            channel.feed(1, 3)
        elif name == "turn":
            await turn()
        elif name == "collect":
            gc.collect()
        elif name == "forget":
            generator = None
        elif name == "end":
            channel.close(*args)
        elif name == "cancel" and args[0] < len(tasks):
            tasks[args[0]].cancel()
        elif generator and name in ("anext", "lists"):
            tasks.append(spawn((one_item if name == "anext" else all_items)(generator)))
        elif generator and name in ("aclose", "athrow"):
            tasks.append(spawn(generator.aclose() if name == "aclose" else generator.athrow(KeyError("k"))))
    channel.close()
    channel.release()
    await all_ended(tasks)
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        assert error is None or isinstance(error, (RuntimeError, KeyError, OSError, StopAsyncIteration))
        if isinstance(error, RuntimeError):
            assert "already running" in str(error) or "StopAsyncIteration" in str(error), error
        del error
    tasks.clear()
    task = generator = None
    fed = "feed" in [name for name, *_ in actions]
    assert fed or seen == sorted(set(seen))
    gc.collect()
    while channel.freed == 0 or t.live_futures() > before:
        await turn()
    assert channel.cancelled <= 1


@settings
@hypothesis.given(
    st.sampled_from([*({"cancel": policy} for policy in POLICIES), {"batch": 3}, {"without_gil": True}]), TASK_ACTIONS
)
def test_tasks_end_whatever_happens_to_their_generator(
    run: Callable[..., Any], options: dict[str, Any], actions: list[tuple[Any, ...]]
) -> None:
    run(play_tasks, options, actions)
