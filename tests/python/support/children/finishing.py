"""Ends of a process with calls on the pool that are to be finished, or that use static objects of C++."""

import asyncio
import os
import signal
import sys
import threading

import _cawait_test as t

FD = 1


async def begin(coroutines):
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def leave(make, n):
    """Some are cancelled by the end of the loop, some by hand, some are only dropped."""
    tasks = await begin(make(FD, 20_000) for _ in range(n))
    for task in tasks:
        task._log_destroy_pending = False
    tasks[0].cancel()
    del tasks[1], task


def returning():
    asyncio.run(leave(t.write_at_exit, 10))


def unclosed():
    asyncio.new_event_loop().run_until_complete(leave(t.write_shielded, 10))


def raising():
    unclosed()
    sys.exit(3)


def closed_by_hand():
    """Coroutines that began, and are closed with nobody waiting."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(leave(t.write_at_exit, 10))
    loop.close()


def in_a_thread():
    thread = threading.Thread(target=returning)
    thread.start()
    thread.join()


def in_a_forked_child():
    unclosed()
    if os.fork() == 0:
        sys.exit(0)
    os.wait()


def ended_at_once():
    unclosed()
    os._exit(0)


def ended_by_a_signal():
    unclosed()
    os.kill(os.getpid(), signal.SIGTERM)


def static_objects(how, code, n=3):
    import _cawait_test_statics as statics

    async def main():
        for task in await begin(statics.count(how) for _ in range(n)):
            task.cancel()
        await asyncio.sleep(0.01)

    asyncio.run(main())
    sys.exit(int(code))


globals()[sys.argv[1]](*sys.argv[2:])
