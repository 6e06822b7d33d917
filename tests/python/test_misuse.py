"""Bad use gets a clear error at once, or is ignored where the laws say so; never a hang, a crash or a leak."""

import asyncio
import gc
import sys
import weakref

import pytest

import _cawait_test as t

REUSED = "cannot reuse already awaited coroutine"
AWAITED = "coroutine is being awaited already"


async def settle(turns=10):
    for _ in range(turns):
        await asyncio.sleep(0)


async def started(coroutine):
    task = asyncio.ensure_future(coroutine)
    await settle()
    return task


async def awaiting(coroutine):
    return await coroutine


def plain_task(coroutine):
    """A task of the running kind that starts at the next turn of the loop, also where tasks are eager."""
    return type(asyncio.current_task())(coroutine, loop=asyncio.get_running_loop())


# --- awaited twice, or by two ---


@pytest.mark.parametrize("make", [lambda: t.ready(1), lambda: t.yield_times(2)], ids=["ready", "suspended"])
def test_second_await_is_an_error(run, make):
    async def main():
        coroutine = make()
        await coroutine
        for _ in range(2):
            with pytest.raises(RuntimeError, match=REUSED):
                await coroutine

    run(main)


def test_await_of_a_closed_coroutine_is_an_error(run):
    async def main():
        coroutine = t.ready(1)
        coroutine.close()
        with pytest.raises(RuntimeError, match=REUSED):
            await coroutine

    run(main)


def test_second_await_while_suspended_is_an_error_and_the_first_one_goes_on(run):
    async def main():
        op = t.Op("first")
        coroutine = op.wait()
        task = await started(awaiting(coroutine))
        with pytest.raises(RuntimeError, match=AWAITED):
            await coroutine
        op.resolve()
        assert await task == "first"

    run(main)


def test_second_task_on_a_coroutine_is_an_error_and_the_first_one_goes_on(run):
    async def main():
        op = t.Op("first")
        coroutine = op.wait()
        first = await started(coroutine)
        second = plain_task(coroutine)
        with pytest.raises(RuntimeError, match=AWAITED):
            await second
        op.resolve()
        assert await first == "first" and op.freed == 1

    run(main)


def test_send_by_hand_while_a_task_awaits_is_an_error_and_the_task_goes_on(run):
    async def main():
        op = t.Op("first")
        coroutine = op.wait()
        task = await started(coroutine)
        for call in (lambda: coroutine.send(None), lambda: next(coroutine), lambda: next(iter(coroutine))):
            with pytest.raises(RuntimeError, match=AWAITED):
                call()
        op.resolve()
        assert await task == "first"

    run(main)


def test_two_tasks_one_after_the_other_on_one_coroutine(run):
    async def main():
        coroutine = t.yield_times(1)
        await plain_task(coroutine)
        with pytest.raises(RuntimeError, match=REUSED):
            await plain_task(coroutine)

    run(main)


def test_gather_of_one_coroutine_twice_awaits_it_once(run):
    async def main():
        coroutine = t.ready(5)
        assert await asyncio.gather(coroutine, coroutine) == [5, 5]

    run(main)


# --- the wrong loop, or none ---


def test_await_on_another_loop_is_an_error_and_the_first_one_goes_on(new_loop):
    async def begin(coroutine):
        return await started(coroutine)

    async def intrude(coroutine):
        for awaitable in (plain_task(coroutine), coroutine):
            with pytest.raises(RuntimeError, match="suspended on a different event loop"):
                await awaitable

    op, mine, other = t.Op("mine"), new_loop(), new_loop()
    coroutine = op.wait()
    task = mine.run_until_complete(begin(coroutine))
    other.run_until_complete(intrude(coroutine))
    op.resolve()
    assert mine.run_until_complete(task) == "mine"


def test_coroutine_woken_on_one_loop_cannot_go_on_on_another(new_loop):
    """Driven by hand: the first loop is closed with it, the second one may not take over."""

    async def begin(coroutine):
        assert coroutine.send(None) is not None

    async def intrude(coroutine):
        with pytest.raises(RuntimeError, match="different event loop"):
            await plain_task(coroutine)

    op, mine, other = t.Op(on_cancel="resolves"), new_loop(), new_loop()
    coroutine = op.wait()
    mine.run_until_complete(begin(coroutine))
    other.run_until_complete(intrude(coroutine))
    coroutine.close()
    assert op.freed == 1


def test_operation_that_does_not_end_at_once_needs_a_running_loop():
    op = t.Op(on_cancel="ignored")
    coroutine = op.wait()
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)
    with pytest.raises(RuntimeError, match=REUSED):
        coroutine.send(None)
    assert (op.started, op.cancelled, op.freed) == (1, 1, 0)
    op.resolve()
    assert op.freed == 1


def test_operation_that_is_ready_needs_no_loop():
    coroutine = t.ready("now")
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert stop.value.value == "now"


def test_timer_without_a_running_loop_is_an_error():
    with pytest.raises(RuntimeError):
        t.sleep(1000).send(None)


def test_value_sent_first_is_an_error_and_starts_nothing():
    op = t.Op()
    coroutine = op.wait()
    with pytest.raises(TypeError, match="can't send non-None value to a just-started coroutine"):
        coroutine.send(1)
    assert op.started == 0
    coroutine.close()


def test_value_sent_later_is_ignored(run):
    async def main():
        op = t.Op("value")
        coroutine = op.wait()
        park = coroutine.send(None)
        woken = asyncio.get_running_loop().create_future()
        park._asyncio_future_blocking = False
        park.add_done_callback(lambda park: woken.set_result(None))
        op.resolve()
        await woken
        with pytest.raises(StopIteration) as stop:
            coroutine.send("ignored")
        assert stop.value.value == "value"

    run(main)


# --- resolving wrongly ---


def test_second_resolve_is_refused_by_the_test_operation(run):
    async def main():
        op = t.Op("first")
        task = await started(op.wait())
        assert op.resolve() and not op.resolve() and not op.resolve(-2)
        assert await task == "first"

    run(main)


def test_resolve_after_the_consumer_is_gone_frees(run):
    async def main():
        op = t.Op()
        coroutine = op.wait()
        coroutine.send(None)
        del coroutine
        assert op.freed == 0
        assert op.resolve() and op.freed == 1

    run(main)


def test_resolve_by_a_native_thread_after_the_consumer_is_gone_frees(run):
    async def main():
        ops = [t.Op() for _ in range(100)]
        tasks = [await started(op.wait()) for op in ops]
        t.resolve_many(ops, 500, 1)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        while not all(op.freed == 1 for op in ops):
            await asyncio.sleep(0.001)

    run(main)


def test_start_that_fails_never_completes(run):
    async def main():
        op = t.Op(start_status=-2, on_cancel="ignored")
        with pytest.raises(FileNotFoundError):
            await op.wait()
        assert not op.resolve()
        assert (op.started, op.cancelled, op.freed) == (1, 0, 1)

    run(main)


# --- result functions that misbehave ---


@pytest.mark.parametrize(
    "function, error, cause",
    [
        (t.result_raises, ZeroDivisionError, type(None)),
        (t.result_raises_stop, RuntimeError, StopIteration),
        (t.result_null, SystemError, type(None)),
        (t.result_and_exception, SystemError, KeyError),
    ],
)
def test_bad_result_function_is_an_error_with_its_cause(run, function, error, cause):
    async def main():
        with pytest.raises(error) as caught:
            await function(1)
        assert type(caught.value.__cause__) is cause
        with pytest.raises(error):
            await asyncio.ensure_future(function(1))

    run(main)


def test_null_arguments_are_errors():
    assert t.null_arguments() == [SystemError] * 6


@pytest.mark.parametrize("make, error", [(t.start_null, SystemError), (t.start_confused, SystemError)])
def test_start_function_that_breaks_its_contract_is_an_error(make, error):
    with pytest.raises(error):
        make()


# --- polls that call back ---


def callbacks(coroutine):
    return {
        "close": lambda: coroutine.close(),
        "send": lambda: coroutine.send(None),
        "next": lambda: next(coroutine),
        "throw": lambda: coroutine.throw(KeyError("thrown from the poll")),
        "cancel": lambda: coroutine.throw(asyncio.CancelledError()),
        "await": lambda: coroutine.__await__(),
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
        task = asyncio.ensure_future(holder[0])
        await task
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
        with pytest.raises(StopIteration):
            holder.pop().send(None)

    run(main)


def test_poll_that_cancels_its_own_task_is_cancelled(run):
    async def main():
        task = plain_task(awaiting(t.call_in_poll(lambda: task.cancel() and False)))
        await asyncio.wait([task])
        assert task.cancelled()

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
            with pytest.raises(StopIteration):
                t.ready(1).send(None)
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


# --- wakes ---


def test_two_wakes_are_one_poll(run):
    async def main():
        gate = t.Gate()
        task = await started(gate.wait())
        assert gate.polls == 1
        gate.wake(5)
        while gate.polls < 2:
            await asyncio.sleep(0)
        await settle()
        assert gate.polls == 2
        gate.open(2)
        await task
        assert gate.polls == 3

    run(main)


@pytest.mark.parametrize("wakes", [1, 2, 10])
def test_wake_during_the_poll_is_not_lost(run, wakes):
    async def main():
        assert await t.yield_times(5, wakes) is None

    run(main)


def test_wake_after_the_completion_is_ignored(run):
    async def main():
        gate = t.Gate()
        task = await started(gate.wait())
        gate.open()
        await task
        gate.wake(3)
        await settle()
        assert gate.polls == 2

    run(main)


def test_wake_after_close_is_ignored(run):
    async def main():
        gate = t.Gate()
        coroutine = gate.wait()
        coroutine.send(None)
        coroutine.close()
        gate.wake(3)
        await settle()
        assert gate.polls == 1

    run(main)


def test_wake_that_is_queued_when_the_coroutine_closes_is_ignored(run):
    async def main():
        gate, after = t.Gate(), t.Op("after")
        coroutine = gate.wait()
        coroutine.send(None)
        gate.wake(2)
        coroutine.close()
        after.resolve_later(200)
        assert await after.wait() == "after"
        assert gate.polls == 1

    run(main)


def test_late_wake_of_a_finished_coroutine_does_not_wake_the_next_one(run):
    """Native halves are used again; a waker that was kept must not reach the new owner."""

    async def main():
        for _ in range(50):
            old, new = t.Gate(), t.Gate()
            task = await started(old.wait())
            old.open()
            await task
            task = await started(new.wait())
            old.wake(2)
            await settle()
            assert new.polls == 1
            new.open()
            await task

    run(main)


def test_gate_without_a_waker_wakes_nobody():
    gate = t.Gate()
    gate.wake(3)
    gate.drop()
    gate.drop()
    gate.open()


# --- what asyncio finds in the object it gets ---


def test_park_object_refuses_a_second_callback(run):
    async def main():
        op = t.Op(on_cancel="resolves")
        coroutine = op.wait()
        park = coroutine.send(None)
        park.add_done_callback(print)
        with pytest.raises(RuntimeError, match=AWAITED):
            park.add_done_callback(print)
        assert park.remove_done_callback(print) == 1 and park.remove_done_callback(print) == 0
        coroutine.close()

    run(main)


def test_park_object_outlives_its_coroutine(run):
    async def main():
        op = t.Op(on_cancel="resolves")
        coroutine = op.wait()
        park = coroutine.send(None)
        del coroutine
        assert park.done() and park.result() is None and not park.cancel()
        for call in (park.get_loop, lambda: park.add_done_callback(print)):
            with pytest.raises(RuntimeError):
                call()
        assert "ended" in repr(park) and park.remove_done_callback(print) == 0

    run(main)


def test_park_object_refuses_wrong_arguments(run):
    async def main():
        coroutine = t.Op(on_cancel="resolves").wait()
        park = coroutine.send(None)
        for arguments, keywords in (((), {}), ((1, 2), {}), ((1,), {"loop": 2}), ((), {"context": 2})):
            with pytest.raises(TypeError):
                park.add_done_callback(*arguments, **keywords)
        with pytest.raises(TypeError):
            park.cancel(1, 2)
        coroutine.close()

    run(main)


def test_callback_that_is_no_task_is_called_with_the_park_object(run):
    async def main():
        op, seen = t.Op(), []
        coroutine = op.wait()
        park = coroutine.send(None)
        park.add_done_callback(seen.append)
        op.resolve()
        while not seen:
            await asyncio.sleep(0)
        assert seen == [park]
        coroutine.close()

    run(main)


def test_callback_that_raises_is_reported_and_the_others_are_called(run, unraisable, loop_errors):
    async def main():
        def bad(park):
            raise LookupError("in callback")

        first, second = t.Op(), t.Op("second")
        coroutine = first.wait()
        coroutine.send(None).add_done_callback(bad)
        task = await started(second.wait())
        first.resolve()
        second.resolve()
        assert await task == "second"
        coroutine.close()

    run(main)
    assert len(unraisable) + len(loop_errors) == 1
    unraisable.clear()
    loop_errors.clear()


def test_types_of_the_library_cannot_be_made_by_hand(run):
    async def main():
        coroutine = t.Op(on_cancel="resolves").wait()
        for made in (coroutine, coroutine.send(None), t.ready):
            with pytest.raises(TypeError):
                type(made)()
        coroutine.close()

    run(main)


def test_value_is_not_kept_after_the_await(run):
    class Value:
        pass

    async def main():
        value = Value()
        alive = weakref.ref(value)
        op = t.Op(value)
        op.resolve_later(200)
        assert await op.wait() is value
        del op, value
        for _ in range(3):
            await t.ready(None)
        gc.collect()
        assert alive() is None

    run(main)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_task_on_a_busy_coroutine_is_an_error():
    async def main():
        op = t.Op("first")
        coroutine = op.wait()
        first = asyncio.ensure_future(coroutine)
        await settle()
        with pytest.raises(RuntimeError, match=AWAITED):
            await asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)
        op.resolve()
        assert await first == "first"

    asyncio.run(main())
