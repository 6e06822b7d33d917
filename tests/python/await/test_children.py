"""C futures that do something else with the Python awaitable inside them: cancel, drop, move, wake."""

from __future__ import annotations

import gc
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import _cawait_test as t
from support.common import Steps, Value, cancellation, ended, on_trio, sleep, spawn, turn

value = Value()


# --- cancel ---


@pytest.mark.parametrize("name", ["cancelled_first", "spawned_cancelled_first"])
def test_cancel_before_the_first_poll_begins_nothing(run: Callable[..., Any], name: str) -> None:
    async def main() -> None:
        steps = Steps()
        with pytest.raises(RuntimeError if on_trio() else cancellation(), match="cancelled" if on_trio() else None):
            await getattr(t, name)(steps())
        with pytest.raises(RuntimeError if on_trio() else cancellation()):
            await getattr(t, name)(t.ready(1))
        await turn()
        assert steps.seen == []

    run(main)


def test_cancel_by_the_author_is_raised_as_the_framework_knows_it(run: Callable[..., Any]) -> None:
    """trio has no exception for it, and asyncio's is foreign to trio."""

    async def main() -> None:
        steps = Steps()
        with pytest.raises(RuntimeError if on_trio() else cancellation(), match="CAW_ECANCELED" if on_trio() else None):
            await t.cancelled_posted(steps(60))
        assert steps.seen == ["begun", cancellation().__name__]

    run(main)


def test_author_is_told_what_is_thrown_while_it_waits_in_place(run_asyncio: Callable[..., Any]) -> None:
    """trio throws nothing in: its own functions raise."""

    async def main() -> None:
        steps, told = Steps(), []
        task = spawn(t.told(steps(60), told))
        while not steps.seen:
            await turn()
        assert task.cancel()
        assert await ended(task) == "cancelled"
        assert [type(one) for one in told] == [cancellation()]
        assert steps.seen == ["begun", cancellation().__name__]

    run_asyncio(main)


def test_shielded_awaitable_is_not_cancelled(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        steps, told = Steps(), []

        async def slow() -> None:
            await steps()
            await sleep(0.005)
            steps.seen.append("slept")

        task = spawn(t.told_shielded(slow(), told))
        while not steps.seen:
            await turn()
        assert task.cancel()
        assert await ended(task) == "cancelled"
        assert steps.seen == ["begun", "ended", "slept"] and len(told) == 1

    run_asyncio(main)


def test_awaitable_in_a_cancelled_scope_begins_as_with_await(run: Callable[..., Any]) -> None:
    """The cancellation reaches what it awaits itself."""

    async def with_await(awaitable: Any) -> Any:
        return await awaitable

    async def main() -> None:
        outcomes, tasks = [], []
        for way in (with_await, t.await_):
            steps = Steps()

            async def cancelled_already(way: Any = way, steps: Steps = steps) -> None:
                await turn()
                tasks[-1].cancel()
                await way(steps())

            tasks.append(spawn(cancelled_already()))
            outcomes.append((await ended(tasks[-1]), steps.seen))
        assert outcomes[0] == outcomes[1] and outcomes[0][1][0] == "begun"

    run(main)


def test_iterator_without_close_is_cancelled_before_it_begins(run: Callable[..., Any]) -> None:
    class Iterates:
        def __await__(self) -> Any:
            return self

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> None:
            raise StopIteration(value)

        def send(self, sent: Any) -> None:
            raise StopIteration(value)

        def throw(self, *args: Any) -> None:
            raise args[0]

    async def main() -> None:
        with pytest.raises(BaseException, match="cancelled" if on_trio() else None):
            await t.cancelled_first(Iterates())
        assert await t.posted(Iterates()) is value

    run(main)


# --- drop and move ---


@pytest.mark.parametrize(
    "name, seen", [("dropped_when_ready", ["begun", "ended"]), ("dropped_in_place", ["begun", "GeneratorExit"])]
)
def test_awaitable_is_dropped_in_a_poll_that_has_not_the_gil(
    run: Callable[..., Any], name: str, seen: list[str]
) -> None:
    async def main() -> None:
        steps = Steps()
        assert await getattr(t, name)(steps()) is None
        assert steps.seen == seen

    run(main)


def test_exception_of_what_is_dropped_without_the_gil_is_raised(run: Callable[..., Any]) -> None:
    async def failing() -> None:
        await turn()
        raise LookupError("from Python")

    async def main() -> None:
        with pytest.raises(LookupError, match="from Python"):
            await t.dropped_when_ready(failing())

    run(main)


def test_awaitable_that_moves_to_another_coroutine_ends_with_an_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        steps = Steps()
        first = t.left_in_place(steps())
        await first
        moved = t.left()
        with pytest.raises(OSError, match="CAW_EINVAL|Invalid argument"):
            await moved
        assert steps.seen == ["begun", "GeneratorExit"]
        del first

    run(main)


def test_awaitable_outlives_the_coroutine_that_polled_it_first(run: Callable[..., Any]) -> None:
    async def main() -> None:
        steps = Steps()
        await t.left_in_place(steps())
        others = [t.ready(1) for _ in range(400)]  # in the memory of the first one
        for one in others:
            one.close()
        moved = t.left()
        gc.collect()
        moved.close()
        assert steps.seen == ["begun", "GeneratorExit"]

    run(main)


def test_awaitable_is_dropped_by_the_author_who_is_told(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        steps = Steps()
        task = spawn(t.dropped_when_thrown(steps(60)))
        while not steps.seen:
            await turn()
        assert task.cancel()
        assert await ended(task) == "cancelled"
        assert steps.seen == ["begun", "GeneratorExit"]

    run_asyncio(main)


def test_what_is_given_up_ends_in_its_own_thread(run_asyncio: Callable[..., Any]) -> None:
    n = 12
    barrier = threading.Barrier(n)
    elsewhere = []

    async def careful() -> None:
        here = threading.get_ident()
        try:
            await sleep(60)
        finally:
            if threading.get_ident() != here:
                elsewhere.append(here)
            threading.Event().wait(0.02)  # meanwhile the others have the GIL

    async def main() -> None:
        barrier.wait()
        with pytest.raises(RuntimeError, match="polled with the same waker"):
            await t.beside(careful(), 10_000_000)

    threads = [threading.Thread(target=run_asyncio, args=[main]) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert elsewhere == []


# --- wakes ---


def test_wake_of_the_coroutine_before_the_awaitable_is_polled_is_not_lost(run: Callable[..., Any]) -> None:
    """The wake is then posted, because the coroutine has to be polled again."""

    async def main() -> None:
        steps = Steps()
        assert await t.woken_before(steps()) is steps

    run(main)


def test_wake_of_the_coroutine_while_it_waits_in_place_is_an_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        steps = Steps()
        with pytest.raises(RuntimeError, match="polled with the same waker"):
            await t.woken_after(steps())
        assert steps.seen == ["begun", "GeneratorExit"]

    run(main)


def test_wake_that_comes_late_hides_none_that_matters(run_asyncio: Callable[..., Any]) -> None:
    """It comes when the first wake has reached the task, and the task has not polled again."""

    @types.coroutine
    def drive(coroutine: Any) -> Iterator[Any]:
        late = [t.wake_kept]
        yielded = coroutine.send(None)
        while True:
            sent = yield yielded
            if late:
                await_nothing = late.pop()()
                await_nothing.close()
            try:
                yielded = coroutine.send(sent)
            except StopIteration as stop:
                return stop.value

    async def main() -> None:
        steps = Steps()
        assert await drive(t.woken_late(steps(60))) is None
        await turn()

    run_asyncio(main)


def test_wakes_that_come_twice_are_none_of_its_business(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for _ in range(200):
            steps = Steps()
            assert await t.woken_twice(steps()) is steps

    run(main)
