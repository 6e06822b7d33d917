"""Cancellation: the three policies, told once, the message and the counts kept, and whoever asks."""

import asyncio
import gc
import random
import sys
import threading
import weakref

import pytest

import _cawait_test as t

needs_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio has it from 3.11 on")

# How the operation is made and which policy that gives: (method, on_cancel)
WAITING = [("wait", "ignored"), ("wait_waiting", "ignored"), ("wait_waiting", "none")]
DETACHED = [("wait", "none"), ("wait_detached", "none"), ("wait_detached", "ignored")]
SHIELDED = [("wait_shielded", "none"), ("wait_shielded", "ignored")]
EVERY = [WAITING[0], WAITING[2], DETACHED[0], DETACHED[2], SHIELDED[1]]

waiting = pytest.mark.parametrize("method, on_cancel", WAITING)
detached = pytest.mark.parametrize("method, on_cancel", DETACHED)
shielded = pytest.mark.parametrize("method, on_cancel", SHIELDED)
every = pytest.mark.parametrize("method, on_cancel", EVERY)


class Value:
    """A result that can be seen to be dropped."""


async def settle(turns=10):
    for _ in range(turns):
        await asyncio.sleep(0)


async def started(coroutine):
    task = asyncio.ensure_future(coroutine)
    await settle()
    assert not task.done()
    return task


async def seeing(awaitable, seen):
    """Await it, and note the exception as the coroutine itself sees it."""
    try:
        return await awaitable
    except BaseException as error:
        seen.append(error)
        raise


async def ended(task):
    """How a task ended, without raising."""
    await asyncio.wait([task])
    return "cancelled" if task.cancelled() else task.exception() or task.result()


def told(op, on_cancel):
    """What `cancelled` must be when the native side was told once: it cannot be where there is no hook."""
    return op.cancelled == (0 if on_cancel == "none" else 1)


# --- the policies ---


@waiting
def test_waiting_awaiter_resumes_only_after_the_native_end(run, method, on_cancel):
    async def main():
        op = t.Op("late", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        task.cancel()
        await settle()
        assert not task.done() and told(op, on_cancel) and op.freed == 0
        op.resolve()
        assert await ended(task) == "cancelled"
        assert told(op, on_cancel) and op.freed == 1

    run(main)


@detached
def test_detached_awaiter_resumes_at_once(run, method, on_cancel):
    async def main():
        op = t.Op("unseen", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert told(op, on_cancel) and op.resolved == 0 and op.freed == 0
        assert op.resolve()
        assert op.freed == 1 and told(op, on_cancel)

    run(main)


@shielded
def test_shielded_awaiter_resumes_after_the_end_and_nobody_is_told(run, method, on_cancel):
    async def main():
        op = t.Op("shielded", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        for _ in range(5):
            task.cancel()
            await settle()
        assert not task.done() and op.cancelled == 0
        op.resolve()
        assert await ended(task) == "cancelled"
        assert op.cancelled == 0 and op.freed == 1

    run(main)


@waiting
def test_second_cancel_detaches_a_waiting_operation(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        task.cancel()
        await settle()
        assert not task.done()
        task.cancel()
        assert await ended(task) == "cancelled"
        assert told(op, on_cancel) and op.resolved == 0 and op.freed == 0
        op.resolve()
        assert op.freed == 1

    run(main)


@every
def test_native_side_is_told_at_most_once(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        coroutine = getattr(op, method)()
        task = await started(coroutine)
        for _ in range(5):
            task.cancel()
        await settle()
        task.cancel()
        op.resolve()
        assert await ended(task) == "cancelled"
        coroutine.close()
        assert op.cancelled == (1 if on_cancel == "ignored" and method != "wait_shielded" else 0)

    run(main)


def test_operation_that_ends_on_cancel_ends_the_await(run):
    async def main():
        op = t.Op(on_cancel="resolves")
        task = await started(op.wait())
        task.cancel()
        assert op.resolved == 1
        assert await ended(task) == "cancelled"
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


@pytest.mark.parametrize("method", ["wait", "wait_waiting", "wait_detached", "wait_nogil"])
def test_value_resolved_inside_on_cancel_does_not_swallow_the_cancel(run, method):
    async def main():
        value = Value()
        alive = weakref.ref(value)
        op = t.Op(value, on_cancel="value")
        del value
        task = await started(getattr(op, method)())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert (op.cancelled, op.resolved, op.freed) == (1, 1, 1)
        del op, task
        gc.collect()
        assert alive() is None

    run(main)


# --- message, type, counts ---


@every
def test_message_and_exact_type_reach_the_coroutine(run, method, on_cancel):
    async def main():
        op, seen = t.Op(on_cancel=on_cancel), []
        task = await started(seeing(getattr(op, method)(), seen))
        task.cancel("the reason")
        await settle()
        op.resolve()
        assert await ended(task) == "cancelled"
        assert [type(error) for error in seen] == [asyncio.CancelledError]
        assert seen[0].args == ("the reason",)

    run(main)


@every
def test_cancel_without_a_message_has_no_arguments(run, method, on_cancel):
    async def main():
        op, seen = t.Op(on_cancel=on_cancel), []
        task = await started(seeing(getattr(op, method)(), seen))
        task.cancel()
        await settle()
        op.resolve()
        await ended(task)
        assert [error.args for error in seen] == [()]

    run(main)


def test_message_of_the_second_cancel_is_the_one_that_detaches(run):
    async def main():
        op, seen = t.Op(on_cancel="ignored"), []
        task = await started(seeing(op.wait(), seen))
        task.cancel("first")
        await settle()
        task.cancel("second")
        await ended(task)
        assert [error.args for error in seen] == [("second",)]
        op.resolve()

    run(main)


@needs_311
def test_every_cancel_is_counted(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        task = await started(op.wait_shielded())
        for n in range(1, 4):
            task.cancel()
            assert task.cancelling() == n
        op.resolve()
        await ended(task)
        assert task.cancelling() == 3

    run(main)


@needs_311
@every
def test_task_goes_on_after_uncancel(run, method, on_cancel):
    async def body(op, after):
        with pytest.raises(asyncio.CancelledError):
            await getattr(op, method)()
        assert asyncio.current_task().uncancel() == 0
        return await after.wait()

    async def main():
        op, after = t.Op(on_cancel=on_cancel), t.Op("after")
        task = await started(body(op, after))
        task.cancel()
        await settle()
        op.resolve()
        while not after.started:
            await asyncio.sleep(0)
        after.resolve()
        assert await task == "after"

    run(main)


# --- before the first step, and in the same turn as the completion ---


@every
def test_cancel_before_the_first_step_starts_nothing(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        task = type(asyncio.current_task())(getattr(op, method)(), loop=asyncio.get_running_loop())
        task.cancel()
        assert await ended(task) == "cancelled"
        assert (op.started, op.cancelled, op.freed) == (0, 0, 1)

    run(main)


@every
def test_cancel_right_after_the_completion_wins_and_the_result_is_destroyed(run, method, on_cancel):
    async def main():
        op = t.Op("lost", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        op.resolve()
        assert task.cancel()
        assert await ended(task) == "cancelled"
        assert (op.cancelled, op.freed) == (0, 1)

    run(main)


@every
def test_cancel_right_before_the_completion_wins_and_the_result_is_destroyed(run, method, on_cancel):
    async def main():
        op = t.Op("lost", on_cancel=on_cancel)
        task = await started(getattr(op, method)())
        assert task.cancel()
        op.resolve()
        assert await ended(task) == "cancelled"
        assert op.freed == 1 and op.cancelled <= 1

    run(main)


@every
def test_cancel_of_a_task_that_is_told_to_resume_already_wins(run, method, on_cancel):
    """The sibling is resumed first, in the same batch, and cancels the one that comes next."""

    async def sibling(op, victim):
        await op.wait()
        return victim[0].cancel()

    async def main():
        first, second, victim = t.Op(), t.Op("lost", on_cancel=on_cancel), []
        canceller = await started(sibling(first, victim))
        victim.append(await started(getattr(second, method)()))
        first.resolve()
        second.resolve()
        assert await canceller
        assert await ended(victim[0]) == "cancelled"
        assert second.freed == 1

    run(main)


def test_cancel_of_a_task_that_is_done_changes_nothing(run):
    async def main():
        op = t.Op("kept", on_cancel="ignored")
        task = await started(op.wait())
        op.resolve()
        assert await task == "kept"
        assert not task.cancel() and op.cancelled == 0

    run(main)


@pytest.mark.parametrize("method, on_cancel", [("wait", "ignored"), ("wait", "none"), ("wait_shielded", "none")])
def test_cancel_close_to_the_completion_never_loses_either(new_loop, method, on_cancel):
    reported = []

    async def race(chance):
        loop = asyncio.get_running_loop()
        op, answer = t.Op("won", on_cancel=on_cancel), []
        task = loop.create_task(getattr(op, method)())
        await asyncio.sleep(0)
        op.resolve_later(chance.randrange(2000))
        loop.call_later(0.001, lambda: answer.append(task.cancel()))
        outcome = await ended(task)
        while not (answer and op.resolved):
            await asyncio.sleep(0.0005)
        assert outcome == ("cancelled" if answer[0] else "won")
        assert op.cancelled <= 1
        return op

    async def main():
        chance = random.Random(1)
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
        for _ in range(20):
            ops = await asyncio.gather(*[race(chance) for _ in range(50)])
            while not all(op.freed == 1 for op in ops):
                await asyncio.sleep(0.0005)

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()
    assert reported == []


# --- by what asyncio offers ---


def test_cancel_from_another_thread_through_the_loop(run):
    async def main():
        op = t.Op(on_cancel="resolves")
        task = await started(op.wait())
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(task.cancel, "from a thread"))
        thread.start()
        assert await ended(task) == "cancelled"
        thread.join()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


@pytest.mark.parametrize("method, on_cancel", [("wait", "resolves"), ("wait", "none"), ("wait_detached", "ignored")])
def test_wait_for_times_out(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(getattr(op, method)(), 0.005)
        assert told(op, on_cancel)
        op.resolve()
        assert op.freed == 1

    run(main)


def test_wait_for_waits_for_an_operation_that_has_to_end_first(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        asyncio.get_running_loop().call_later(0.03, op.resolve)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(op.wait(), 0.005)
        assert (op.cancelled, op.resolved, op.freed) == (1, 1, 1)

    run(main)


def test_wait_for_gives_the_value_in_time(run):
    async def main():
        op = t.Op("in time")
        op.resolve_later(1000)
        assert await asyncio.wait_for(op.wait(), 60) == "in time"

    run(main)


def test_asyncio_shield_keeps_the_operation_going(run):
    async def main():
        op = t.Op("kept", on_cancel="ignored")
        inner = await started(op.wait())
        outer = await started(seeing(asyncio.shield(inner), []))
        outer.cancel()
        assert await ended(outer) == "cancelled"
        assert op.cancelled == 0 and not inner.done()
        op.resolve()
        assert await inner == "kept"

    run(main)


def test_cancelled_gather_tells_every_operation_once(run):
    async def main():
        ops = [t.Op(on_cancel="resolves") for _ in range(20)]
        gathering = await started(seeing(asyncio.gather(*[op.wait() for op in ops]), []))
        gathering.cancel()
        assert await ended(gathering) == "cancelled"
        assert [op.cancelled for op in ops] == [1] * 20 and [op.freed for op in ops] == [1] * 20

    run(main)


def test_gather_takes_what_was_cancelled_as_a_result(run):
    async def main():
        kept, lost = t.Op("kept"), t.Op(on_cancel="resolves")
        task = await started(lost.wait())
        gathering = asyncio.gather(kept.wait(), task, return_exceptions=True)
        await settle()
        task.cancel()
        kept.resolve()
        value, error = await gathering
        assert value == "kept" and type(error) is asyncio.CancelledError

    run(main)


def test_as_completed_goes_by_completion_and_times_out(run):
    async def main():
        ops = [t.Op(n, on_cancel="resolves") for n in range(3)]
        tasks = [await started(op.wait()) for op in ops]
        ops[1].resolve()
        values = []
        with pytest.raises(asyncio.TimeoutError):
            for soon in asyncio.as_completed(tasks, timeout=0.5):
                values.append(await soon)
                ops[0].resolve()
        assert values == [1, 0]
        await cancel_others()
        assert ops[2].cancelled == 1

    async def cancel_others():
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    run(main)


@needs_311
@pytest.mark.parametrize("method, on_cancel", [("wait", "resolves"), ("wait", "none"), ("wait", "value"),
                                               ("wait_detached", "ignored")])
def test_asyncio_timeout_times_out_and_the_task_goes_on(run, method, on_cancel):
    async def main():
        op, after = t.Op(on_cancel=on_cancel), t.Op("after")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await getattr(op, method)()
        assert asyncio.current_task().cancelling() == 0 and told(op, on_cancel)
        op.resolve()
        after.resolve_later(500)
        assert await after.wait() == "after"
        assert op.freed == 1

    run(main)


@needs_311
def test_asyncio_timeout_at_in_the_past_times_out(run):
    async def main():
        op = t.Op(on_cancel="resolves")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time() - 1):
                await op.wait()
        assert op.cancelled == op.started

    run(main)


@needs_311
def test_asyncio_timeout_around_a_shielded_operation_waits_for_its_end(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        asyncio.get_running_loop().call_later(0.03, op.resolve)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await op.wait_shielded()
        assert (op.cancelled, op.resolved) == (0, 1)

    run(main)


@needs_311
def test_asyncio_timeout_that_does_not_expire_changes_nothing(run):
    async def main():
        op = t.Op("in time", on_cancel="ignored")
        op.resolve_later(500)
        async with asyncio.timeout(60):
            assert await op.wait() == "in time"
        assert op.cancelled == 0

    run(main)


@needs_311
def test_failing_sibling_in_a_task_group_cancels_the_others_once(run):
    async def main():
        ops = [t.Op(on_cancel="resolves") for _ in range(5)]
        bad = t.Op()
        try:
            async with asyncio.TaskGroup() as group:
                for op in ops:
                    group.create_task(op.wait())
                group.create_task(bad.wait())
                await settle()
                bad.resolve(-2)
        except BaseException as group_error:
            assert [type(error) for error in group_error.exceptions] == [FileNotFoundError]
        assert [op.cancelled for op in ops] == [1] * 5 and [op.freed for op in ops] == [1] * 5

    run(main)


@needs_311
def test_task_group_waits_for_operations_that_have_to_end_first(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        asyncio.get_running_loop().call_later(0.03, op.resolve)
        with pytest.raises(BaseException) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(op.wait())
                await settle()
                raise KeyError("sibling")
        assert [type(error) for error in caught.value.exceptions] == [KeyError]
        assert (op.cancelled, op.resolved, op.freed) == (1, 1, 1)

    run(main)


def test_cancel_goes_through_a_chain_of_async_functions(run):
    async def chain(op, depth, left):
        try:
            return await (op.wait() if depth == 0 else chain(op, depth - 1, left))
        finally:
            left.append(depth)

    async def main():
        op, left = t.Op(on_cancel="resolves"), []
        task = await started(chain(op, 5, left))
        task.cancel("deep")
        assert await ended(task) == "cancelled"
        assert left == [0, 1, 2, 3, 4, 5] and (op.cancelled, op.freed) == (1, 1)

    run(main)


def test_cancel_that_is_caught_inside_lets_the_task_await_again(run):
    async def stubborn(first, second):
        try:
            await first.wait()
        except asyncio.CancelledError:
            return await second.wait()

    async def main():
        first, second = t.Op(on_cancel="resolves"), t.Op("second")
        task = await started(stubborn(first, second))
        task.cancel()
        await settle()
        second.resolve_later(500)
        assert await task == "second"

    run(main)


# --- dropping is cancelling ---


async def suspended(coroutine):
    """Drive it by hand until it is suspended."""
    assert coroutine.send(None) is not None
    assert coroutine.cr_suspended
    return coroutine


@every
def test_close_of_a_suspended_coroutine_tells_and_leaves(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        coroutine = await suspended(getattr(op, method)())
        assert coroutine.close() is None and coroutine.close() is None
        assert op.cancelled == (1 if on_cancel == "ignored" and method != "wait_shielded" else 0)
        assert op.freed == 0
        op.resolve()
        assert op.freed == 1

    run(main)


def test_close_before_the_first_step_starts_nothing():
    op = t.Op(on_cancel="ignored")
    coroutine = op.wait()
    coroutine.close()
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)


def test_close_of_a_woken_coroutine_destroys_the_result(run):
    async def main():
        op = t.Op("unseen", on_cancel="ignored")
        coroutine = await suspended(op.wait())
        op.resolve()
        coroutine.close()
        assert (op.cancelled, op.freed) == (0, 1)
        await settle()

    run(main)


def test_close_of_a_coroutine_that_waits_for_its_cancel_tells_no_more(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait()
        task = await started(coroutine)
        task.cancel()
        await settle()
        coroutine.close()
        assert isinstance(await ended(task), RuntimeError)
        op.resolve()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


def test_last_reference_dropped_while_suspended_tells_once(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        coroutine = await suspended(op.wait())
        del coroutine
        assert (op.cancelled, op.freed) == (1, 0)
        op.resolve()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


def test_collected_cycle_tells_once(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        holder = [await suspended(op.wait())]
        holder.append(holder)
        del holder
        assert op.cancelled == 0
        gc.collect()
        assert (op.cancelled, op.freed) == (1, 0)
        op.resolve()
        assert op.freed == 1

    run(main)


def test_cycle_through_the_operation_itself_is_collected(run):
    async def main():
        value = Value()
        alive = weakref.ref(value)
        op = t.Op(value, on_cancel="resolves")
        value.coroutine = await suspended(op.wait())
        del op, value
        assert alive()
        gc.collect()
        assert alive() is None

    run(main)


@pytest.mark.filterwarnings("ignore:coroutine 'Op.wait' was never awaited")
def test_coroutine_dropped_before_the_first_step_starts_nothing():
    op = t.Op(on_cancel="ignored")
    op.wait()
    gc.collect()
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)


def test_chain_of_async_functions_that_is_closed_tells_once(run):
    async def chain(op):
        return await op.wait()

    async def main():
        op = t.Op(on_cancel="ignored")
        outer = chain(op)
        outer.send(None)
        outer.close()
        op.resolve()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


@every
def test_close_of_a_coroutine_that_a_task_awaits_wakes_it_with_an_error(run, method, on_cancel):
    async def main():
        op = t.Op(on_cancel=on_cancel)
        coroutine = getattr(op, method)()
        task = await started(coroutine)
        coroutine.close()
        assert isinstance(await ended(task), RuntimeError)
        op.resolve()
        assert op.freed == 1

    run(main)


def test_close_of_a_coroutine_inside_an_async_function_wakes_the_task_with_an_error(run):
    async def chain(coroutine, seen):
        return await seeing(coroutine, seen)

    async def main():
        op, seen = t.Op(on_cancel="ignored"), []
        coroutine = op.wait()
        task = await started(chain(coroutine, seen))
        coroutine.close()
        assert isinstance(await ended(task), RuntimeError) and isinstance(seen[0], RuntimeError)
        op.resolve()

    run(main)


def test_throw_into_a_coroutine_that_a_task_awaits_wakes_it_with_an_error(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        coroutine = op.wait()
        task = await started(coroutine)
        with pytest.raises(ZeroDivisionError):
            coroutine.throw(ZeroDivisionError("thrown in"))
        assert isinstance(await ended(task), RuntimeError)
        op.resolve()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


def test_close_in_the_turn_of_the_completion_wakes_the_task_once(run):
    async def main():
        op = t.Op("unseen")
        coroutine = op.wait()
        task = await started(coroutine)
        op.resolve()
        coroutine.close()
        assert isinstance(await ended(task), RuntimeError)
        assert op.freed == 1

    run(main)


# --- throw ---


@every
def test_other_exception_thrown_in_comes_out_and_cancels(run, method, on_cancel):
    async def throw(error):
        op = t.Op(on_cancel=on_cancel)
        coroutine = await suspended(getattr(op, method)())
        with pytest.raises(type(error)) as caught:
            coroutine.throw(error)
        assert caught.value is error
        assert op.cancelled == (1 if on_cancel == "ignored" and method != "wait_shielded" else 0)
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            coroutine.send(None)
        op.resolve()
        assert op.freed == 1

    async def main():
        for error in (ZeroDivisionError("x"), GeneratorExit(), KeyboardInterrupt(), SystemExit(3)):
            await throw(error)

    run(main)


def test_exception_thrown_into_a_new_coroutine_starts_nothing():
    op = t.Op(on_cancel="ignored")
    coroutine = op.wait()
    with pytest.raises(ZeroDivisionError):
        coroutine.throw(ZeroDivisionError)
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.throw(ZeroDivisionError)


def test_stop_iteration_thrown_in_becomes_a_runtime_error(run):
    async def main():
        op = t.Op(on_cancel="resolves")
        coroutine = await suspended(op.wait())
        with pytest.raises(RuntimeError, match="coroutine raised StopIteration"):
            coroutine.throw(StopIteration(1))

    run(main)


def test_cancellation_thrown_in_by_hand_waits_and_the_second_one_detaches(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        coroutine = await suspended(op.wait())
        assert coroutine.throw(asyncio.CancelledError("one")) is not None
        assert op.cancelled == 1 and coroutine.cr_suspended
        with pytest.raises(asyncio.CancelledError, match="two"):
            coroutine.throw(asyncio.CancelledError("two"))
        assert (op.cancelled, op.freed) == (1, 0)
        op.resolve()
        assert op.freed == 1

    run(main)


def test_cancellation_thrown_in_by_hand_never_ends_a_shielded_one(run):
    async def main():
        op = t.Op(on_cancel="ignored")
        coroutine = await suspended(op.wait_shielded())
        for n in range(3):
            assert coroutine.throw(asyncio.CancelledError(n)) is not None
        op.resolve()
        with pytest.raises(asyncio.CancelledError, match="3"):
            coroutine.throw(asyncio.CancelledError(3))
        assert (op.cancelled, op.freed) == (0, 1)

    run(main)
