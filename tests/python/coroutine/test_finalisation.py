"""The collector, the end of a loop and the end of the process finalize in any order. Whoever awaits sees GeneratorExit,
as with coroutines of Python, and nothing is reported."""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import warnings
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from support.children.asan import ASAN
from support.common import settle, wait_until
from support.finalising import HIDDEN_LAYERS, LAYERS, LEAVES, First, Side, collect, forever, forever_by_hand, reports_of
from support.frameworks import make_loop

settings = hypothesis.settings(
    max_examples=20 if ASAN else 60,  # on each kind of loop
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)

# Of the __del__() of asyncio's loop, where its sockets were finalized before it.
NO_FD = "ValueError: Invalid file descriptor: -1"

shapes = {
    "closed": st.tuples(st.sampled_from(list(LEAVES)), st.lists(st.sampled_from(LAYERS + HIDDEN_LAYERS), max_size=5)),
    "dropped": st.tuples(st.sampled_from(list(LEAVES)), st.lists(st.sampled_from(LAYERS), max_size=5)),
}
orders = st.one_of(
    st.just(("", [])),
    st.tuples(st.sampled_from(["__del__", "close"]), st.permutations(range(12))),
)


def is_the_same_in_any_version(shape: tuple[str, list[str]], order: tuple[str, list[int]]) -> bool:
    """Who sees the error of a layer that fails depends on the order; a task of its own sees it later; and versions
    differ in when they close an async generator that is awaited."""
    others = any("loop" in layer or layer == "native_as_a_task" for layer in shape[1])
    return "fails" not in shape[1] or (order[1] != [] and not others)


# --- tasks that are left on a loop ---


def note_other_errors(errors: list[Any], loop: Any, context: dict[str, Any]) -> None:
    """Keep what a loop reports, but for the complaint of a task that is dropped: that would keep the task."""
    if not context["message"].startswith("Task was destroyed but it is pending"):
        errors.append(context)


def pending_tasks(
    loop: Any, errors: list[Any], side: Side, leaf: str, layers: list[str], n: int
) -> list[asyncio.Task[Any]]:
    """Tasks of the shape that wait on the loop."""

    async def main() -> list[asyncio.Task[Any]]:
        tasks = [loop.create_task(side.build(leaf, layers, forever)) for _ in range(n)]
        await settle()
        return tasks

    loop.set_exception_handler(functools.partial(note_other_errors, errors))
    return loop.run_until_complete(main())


def leave_tasks(
    loop: Any, errors: list[Any], side: Side, shape: tuple[str, list[str]], order: tuple[str, list[int]], end: str
) -> None:
    """Leave tasks that wait, of which nobody has a reference any more. Takes the loop."""
    first = First(*order)
    tasks = pending_tasks(loop, errors, side, *shape, n=1 if order[1] else 3)
    if end == "closed":
        loop.close()
    first.others = side.made if order[1] else []
    side.made = []
    del tasks


@pytest.mark.parametrize("end", ["closed", "dropped"])
def test_awaiters_in_tasks_see_what_they_see_with_python_in_any_order(
    loop_kind: str, loop_errors: list[Any], unraisable: list[str], hubs: Callable[[], list[Any]], end: str
) -> None:
    @settings
    @hypothesis.given(shapes[end], orders)
    def compare(shape: tuple[str, list[str]], order: tuple[str, list[int]]) -> None:
        hypothesis.assume(is_the_same_in_any_version(shape, order))
        hypothesis.assume("native_as_a_task" not in shape[1] or loop_kind != "asyncio+no-reader")  # it begins some time
        seen, reports = {}, {}
        for is_native in (True, False):
            gc.disable()
            side = Side(is_native)
            leave_tasks(make_loop(loop_kind, loop_errors), loop_errors, side, shape, order, end)
            gc.enable()
            wait_until(lambda: gc.collect() >= 0 and not hubs())  # the watching thread of one may just be using it
            collect()
            seen[is_native] = sorted(side.seen)
            reports[is_native] = reports_of(unraisable)
        assert seen[True] == seen[False]
        assert set(reports[True]) <= {*reports[False], NO_FD}

    if loop_kind == "uvloop" and end == "dropped":
        pytest.skip("uvloop keeps a loop that is not closed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the loop that is not closed
        warnings.simplefilter("ignore", RuntimeWarning)  # the aclose() of Python's that no loop awaits any more
        compare()


# --- coroutines that are driven by hand, while the loop runs ---


def leave_by_hand(side: Side, shape: tuple[str, list[str]], order: tuple[str, list[int]]) -> None:
    """The same for a coroutine in a cycle of its own."""
    first = First(*order)
    cycle = [side.build(*shape, forever_by_hand)]
    cycle[0].send(None)
    cycle.append(cycle)
    first.others = side.made if order[1] else []
    side.made = []


def test_awaiters_that_are_driven_by_hand_see_what_they_see_with_python_in_any_order(
    run: Callable[..., Any], unraisable: list[str]
) -> None:
    @settings
    @hypothesis.given(shapes["dropped"], orders)
    def compare(shape: tuple[str, list[str]], order: tuple[str, list[int]]) -> None:
        hypothesis.assume(is_the_same_in_any_version(shape, order))

        async def main() -> None:
            hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(None, None)  # else the loop reports those that are closed while they are awaited
            seen, reports = {}, {}
            for is_native in (True, False):
                gc.disable()
                side = Side(is_native)
                leave_by_hand(side, shape, order)
                gc.enable()
                collect()
                seen[is_native] = sorted(side.seen)
                reports[is_native] = reports_of(unraisable)
            sys.set_asyncgen_hooks(*hooks)
            assert seen[True] == seen[False]
            assert set(reports[True]) <= set(reports[False])

        run(main)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        compare()
