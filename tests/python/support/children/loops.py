"""The loops that the scripts run on, by name; and calling the function that the command line names."""

import asyncio
import sys


class NoReaderLoop(asyncio.SelectorEventLoop):
    """A loop that cannot watch a file descriptor."""

    def add_reader(self, fd, callback, *args):
        raise NotImplementedError


def new_loop(kind):
    if kind == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = NoReaderLoop() if kind == "asyncio+no-reader" else asyncio.SelectorEventLoop()
    loop.slow_callback_duration = 60
    return loop


def run(kind, coroutine):
    """asyncio.run on a loop of this kind."""
    loop = new_loop(kind)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(gathered(tasks))
        loop.close()


async def gathered(tasks):
    await asyncio.gather(*tasks, return_exceptions=True)


def call(functions):
    """Call the function that the command line names."""
    functions[sys.argv[1]](*sys.argv[2:])
