"""A poll that runs Python code, which may look at the coroutine and call back into the library."""

import asyncio
import contextvars
import gc

import pytest

import _cawait_test as t
from support.common import AWAITED, awaiting, ended, plain_task, spawn, started


def by_hand(coroutine):
    """Drive a coroutine that is ready to its end. It is a checkpoint too, so it is suspended once under trio."""
    with pytest.raises(StopIteration):
        coroutine.send(None)
        coroutine.send(None)


# --- its own coroutine and task ---


def callbacks(coroutine):
    return {
        "close": lambda: coroutine.close(),
        "send": lambda: coroutine.send(None),
        "next": lambda: next(coroutine.__await__()),
        "throw": lambda: coroutine.throw(KeyError("thrown from the poll")),
        "cancel": lambda: coroutine.throw(asyncio.CancelledError()),
        "await": lambda: awaiting(coroutine).send(None),
    }


@pytest.mark.parametrize("what", ["close", "send", "next", "throw", "cancel", "await"])
def test_poll_that_uses_its_own_coroutine_gets_an_error(run, what):
    async def main():
        errors, holder = [], []

        def poll():
            try:
                callbacks(holder[0])[what]()
            except (RuntimeError, ValueError) as error:
                errors.append(str(error))
            return len(errors) == 3

        holder.append(t.call_in_poll(poll))
        await holder[0]
        assert set(errors) == {AWAITED if what == "await" else "coroutine already executing"}
        holder.clear()

    run(main)


def test_poll_that_collects_garbage_and_drops_every_reference_is_safe(run):
    async def main():
        holder, polls = [], []

        def poll():
            polls.append(None)
            holder.clear()
            gc.collect()
            return len(polls) == 3

        holder.append(t.call_in_poll(poll))
        await spawn(holder[0])
        assert len(polls) == 3

    run(main)


def test_poll_that_drops_the_last_reference_of_a_coroutine_driven_by_hand(run):
    async def main():
        holder = []

        def poll():
            holder.clear()
            gc.collect()
            return True

        holder.append(t.call_in_poll(poll))
        by_hand(holder.pop())

    run(main)


def test_poll_that_cancels_its_own_task_is_cancelled(run):
    async def main():
        task = plain_task(awaiting(t.call_in_poll(lambda: task.cancel() and False)))
        assert await ended(task) == "cancelled"

    run(main)


# --- anything else ---


def test_context_variables_of_the_task_are_seen_in_the_poll(run):
    variable = contextvars.ContextVar("variable", default="unset")

    async def main():
        seen = []

        def look():
            seen.append(variable.get())
            return len(seen) == 3

        async def child():
            variable.set("child")
            await t.call_in_poll(look)
            return variable.get()

        variable.set("main")
        assert await spawn(child()) == "child"
        assert seen == ["child"] * 3
        assert variable.get() == "main"

    run(main)


def test_poll_that_raises_is_reported_and_the_await_ends(run, unraisable):
    async def main():
        def poll():
            raise LookupError("in poll")

        await t.call_in_poll(poll)

    run(main)
    assert len(unraisable) == 1 and "LookupError: in poll" in unraisable[0]
    unraisable.clear()


def test_poll_that_awaits_something_else_by_hand_is_its_own_business(run):
    async def main():
        def poll():
            by_hand(t.ready(1))
            inner = t.Op().wait()
            inner.close()
            return True

        await t.call_in_poll(poll)

    run(main)


def test_poll_that_resolves_its_sibling_wakes_it(run):
    async def main():
        op = t.Op("sibling")
        task = await started(op.wait())
        await t.call_in_poll(op.resolve)
        assert await task == "sibling"

    run(main)
