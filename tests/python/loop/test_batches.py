"""Several tasks woken at once: each is resumed, whatever the step of another one does."""

import asyncio

import pytest

import _cawait_test as t
from support.common import ended, resolve_all, started, suspended_tasks

# --- a step that fails ---


def test_exception_in_a_task_stays_in_the_task(run):
    async def raiser(op):
        await op.wait()
        raise ZeroDivisionError

    async def main():
        ops = [t.Op(n) for n in range(3)]
        tasks = await suspended_tasks([raiser(ops[0]), ops[1].wait(), ops[2].wait()])
        resolve_all(ops)
        results = [await ended(task) for task in tasks]
        assert type(results[0]) is ZeroDivisionError and results[1:] == [1, 2]

    run(main)


def test_callback_that_raises_is_reported_and_the_others_are_called(run_asyncio, unraisable, loop_errors):
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

    run_asyncio(main)
    assert len(unraisable) + len(loop_errors) == 1
    unraisable.clear()
    loop_errors.clear()


# --- a step that leaves the loop ---


@pytest.mark.parametrize("leave", [KeyboardInterrupt, SystemExit])
def test_exception_that_leaves_the_loop_loses_nothing_of_the_batch(new_loop, leave):
    async def raiser(op):
        await op.wait()
        raise leave("out")

    async def begin(ops):
        return await suspended_tasks([ops[0].wait(), raiser(ops[1]), ops[2].wait(), ops[3].wait()])

    async def end(tasks):
        return [await tasks[n] for n in (0, 2, 3)]

    loop, ops = new_loop(), [t.Op(n) for n in range(4)]
    tasks = loop.run_until_complete(begin(ops))
    resolve_all(ops)
    with pytest.raises(leave):
        loop.run_forever()
    assert loop.run_until_complete(end(tasks)) == [0, 2, 3]
    assert isinstance(tasks[1].exception(), leave)


def test_step_that_stops_the_loop_loses_nothing_of_the_batch(new_loop):
    async def stopper(op):
        await op.wait()
        asyncio.get_running_loop().stop()

    async def begin(ops):
        return await suspended_tasks([stopper(ops[0]), ops[1].wait(), ops[2].wait()])

    async def end(tasks):
        return await asyncio.gather(*tasks)

    loop, ops = new_loop(), [t.Op(n) for n in range(3)]
    tasks = loop.run_until_complete(begin(ops))
    resolve_all(ops)
    loop.run_forever()
    assert tasks[0].done()
    assert loop.run_until_complete(end(tasks)) == [None, 1, 2]


def test_run_forever_is_stopped_by_a_native_completion(new_loop):
    async def stopper(op):
        await op.wait()
        asyncio.get_running_loop().stop()

    loop, op = new_loop(), t.Op()
    task = loop.create_task(stopper(op))
    op.resolve_later(2000)
    loop.run_forever()
    assert task.done() and op.resolved == 1
