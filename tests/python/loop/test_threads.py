"""Loops in several threads, loops that move between threads, and wakes from threads."""

import asyncio
import gc
import threading

import pytest

import _cawait_test as t
from support.common import caller, ended, results, spawn_all, started, suspended_tasks, until
from support.policies import told

N_THREADS = 8


def in_threads(function, *arguments):
    """Call it in one thread for each argument. Returns the results in order; an exception is raised here."""
    results = [None] * len(arguments)

    def call(n, argument):
        try:
            results[n] = function(argument)
        except BaseException as error:
            results[n] = error

    threads = [threading.Thread(target=call, args=pair) for pair in enumerate(arguments)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def test_loops_in_many_threads_work_at_once(run):
    async def body(thread, n):
        op = t.Op((thread, n))
        op.resolve_later(n * 7 % 1000)
        return await op.wait()

    async def main(thread):
        for _ in range(5):
            expected = [(thread, n) for n in range(40)]
            assert await results(spawn_all(body(thread, n) for n in range(40))) == expected
        await t.sleep(0.001)
        return thread

    assert in_threads(lambda n: run(main, n), *range(N_THREADS)) == list(range(N_THREADS))


def test_short_loops_in_many_threads_come_and_go(run):
    async def main():
        await t.yield_times(3)
        await t.sleep(0)

    def many(_):
        for _ in range(10):
            run(main)
        return True

    assert in_threads(many, *range(N_THREADS)) == [True] * N_THREADS


def test_loop_goes_on_in_another_thread(new_loop):
    async def begin(op):
        await t.yield_times(2)
        task = asyncio.ensure_future(op.wait())
        await asyncio.sleep(0)
        return task

    async def end(task):
        assert await task == "moved"
        await t.sleep(0.001)
        return threading.get_ident()

    loop, op = new_loop(), t.Op("moved")
    (task,) = in_threads(lambda _: loop.run_until_complete(begin(op)), 0)
    op.resolve_later(500)
    (first,) = in_threads(lambda _: loop.run_until_complete(end(task)), 0)
    assert first != threading.get_ident()
    assert loop.run_until_complete(end(asyncio.ensure_future(t.Op.wait(moved()), loop=loop))) is not None


def moved():
    op = t.Op("moved")
    op.resolve_later(500)
    return op


def test_operation_is_resolved_by_a_python_thread(run):
    async def main():
        ops = [t.Op(n) for n in range(200)]
        tasks = await suspended_tasks(op.wait() for op in ops)
        threads = [threading.Thread(target=lambda k=k: [op.resolve() for op in ops[k::4]]) for k in range(4)]
        for thread in threads:
            thread.start()
        assert await results(tasks) == list(range(200))
        for thread in threads:
            thread.join()

    run(main)


def test_cancel_from_another_thread_through_the_loop(run):
    async def main():
        op = t.Op(on_cancel="resolves")
        task = await started(op.wait())
        thread = threading.Thread(target=caller(), args=[task.cancel])
        thread.start()
        assert await ended(task) == "cancelled"
        thread.join()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)


@pytest.mark.parametrize("on_cancel", ["none", "ignored", "resolves"])
def test_cancel_from_many_threads_is_told_once(run, on_cancel):
    async def main():
        call, op, answers = caller(), t.Op(on_cancel=on_cancel), []
        task = await started(op.wait_waiting())

        def cancel_here():
            answers.append(task.cancel())
            if len(answers) == 1:
                op.resolve_later(0)  # by another thread, while the cancels arrive

        def cancel():
            for _ in range(20):
                call(cancel_here)

        threads = [threading.Thread(target=cancel) for _ in range(N_THREADS)]
        for thread in threads:
            thread.start()
        assert await ended(task) == "cancelled"
        await until(lambda: len(answers) == N_THREADS * 20)
        assert answers[0] and told(op, on_cancel)
        for thread in threads:
            thread.join()

    run(main)


def test_gate_woken_by_eight_threads_is_never_lost(run):
    async def main():
        gate, stop = t.Gate(), threading.Event()
        task = await started(gate.wait())

        def wake():
            while not stop.is_set():
                gate.wake(50)

        threads = [threading.Thread(target=wake) for _ in range(N_THREADS)]
        for thread in threads:
            thread.start()
        await until(lambda: gate.polls >= 20)
        assert not task.done()
        stop.set()
        for thread in threads:
            thread.join()
        gate.open()
        await task

    run(main)


def test_gate_dropped_and_woken_in_other_threads_at_the_end_of_the_loop(new_loop):
    async def main(gates):
        tasks = [asyncio.ensure_future(gate.wait()) for gate in gates]
        await asyncio.sleep(0)
        for task in tasks:
            task._log_destroy_pending = False

    loop, gates, stop = new_loop(), [t.Gate() for _ in range(50)], threading.Event()
    loop.run_until_complete(main(gates))

    def wake():
        while not stop.is_set():
            for gate in gates:
                gate.wake()

    threads = [threading.Thread(target=wake) for _ in range(4)]
    for thread in threads:
        thread.start()
    loop.close()
    gc.collect()
    stop.set()
    for thread in threads:
        thread.join()
    for gate in gates:
        gate.drop()


def test_coroutine_dropped_in_another_thread_is_cancelled(run):
    async def main():
        op, holder = t.Op(on_cancel="resolves"), []
        holder.append(op.wait())
        holder[0].send(None)
        thread = threading.Thread(target=holder.clear)
        thread.start()
        thread.join()
        assert (op.cancelled, op.freed) == (1, 1)

    run(main)
