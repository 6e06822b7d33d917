"""Streams in a process of their own: memory, exit, fork. The first argument names the function, the second the loop."""

import asyncio
import gc
import os
import sys
from pathlib import Path

from asan import ASAN
from loops import call, new_loop, run

import _cawait_test as t

sys.path.append(str(Path(__file__).parents[2]))
from support.common import turn  # noqa: E402
from support.frameworks import run_structured  # noqa: E402

sys.modules.pop("anyio", None)  # asyncio is meant by itself: the library looks for it

KEPT = []  # alive when the interpreter is finalized
N = 3_000


async def numbers(n):
    for k in range(n):
        yield object() if k else None


async def pipe(relay):
    """A consumer that lets the loop turn now and then."""
    k = 0
    async for _ in relay(numbers(N)):
        k += 1
        if k % 16 == 0:
            await turn()
    assert k == N


async def left(relay):
    """Generators that are dropped in the middle."""
    for _ in range(N // 30):
        generator = relay(numbers(30))
        async for _ in generator:
            break
        await generator.aclose()


def posted(iterable):
    return t.relay_posted(iterable, 10)


async def work():
    for relay in (t.relay, posted):
        await pipe(relay)
        await left(relay)
    for _ in range(20):
        await turn()


def flat(kind):
    """The second of two equal rounds needs no more memory."""

    async def main():
        await work()
        await work()
        gc.collect()
        blocks, futures = sys.getallocatedblocks(), t.live_futures()
        await work()
        gc.collect()
        more = sys.getallocatedblocks() - blocks
        assert more < 600 or ASAN, more
        assert t.live_futures() == futures

    if kind == "trio":
        run_structured(kind, [], main)
    else:
        loop = new_loop(kind)
        loop.run_until_complete(main())
        loop.close()
    gc.collect()
    assert t.live_futures() == 0


def never_closed(kind, main):
    """Run it on a loop that is never closed."""
    loop = new_loop(kind)
    loop.set_debug(False)
    KEPT.append(loop)
    loop.run_until_complete(main())


def kept_at_exit(kind):
    async def main():
        channel = t.Channel(4)
        channel.try_send(1)
        generator = channel.generator()
        assert await anext(generator) == 1
        step = generator.__anext__()
        step.send(None)
        KEPT.extend([channel, generator, step])

    never_closed(kind, main)


def feeding_at_exit(kind):
    """Native threads send while the interpreter ends."""

    async def main():
        channel = t.Channel(4)
        channel.feed(4, 1_000_000)
        generator = channel.generator()
        assert await anext(generator) is not None
        KEPT.extend([channel, generator])

    run(kind, main())


def relay_at_exit(kind):
    async def main():
        generator = posted(numbers(N))
        assert await anext(generator) is None
        KEPT.append(generator)

    never_closed(kind, main)
    for task in asyncio.all_tasks(KEPT[0]):
        task._log_destroy_pending = False


def fork(kind):
    """In the child, items that are there are delivered; all else fails or is dropped."""

    async def main():
        channel = t.Channel(4)
        channel.try_send(1)
        generator = channel.generator()
        pid = os.fork()
        if pid == 0:
            try:
                for _ in range(2):  # the second one would wait for an item that can never come
                    step = generator.__anext__()
                    try:
                        step.send(None)
                    except (StopIteration, StopAsyncIteration, RuntimeError, OSError):
                        pass
                    step.close()
                del generator, step
                assert channel.try_send(2) < 0
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
        assert await anext(generator) == 1

    run(kind, main())


call(globals())
