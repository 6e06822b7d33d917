"""Programs that block: the first argument names the function. Nothing is imported that a function does not need."""

import sys

import _cawait_test as t

HOUR = 3600 * 10**9


def sleep_with_the_gil():
    """A caw_block_on that would sleep with the GIL."""
    import asyncio

    async def locals():
        return t.locals()

    print(t.block_on("sleep", None, asyncio.run(locals()), True, 0))


def without_asyncio():
    """The synchronous face, in an interpreter that has imported neither asyncio nor threading."""
    assert t.pause(1000000) == 1000000
    assert t.pause(1000, how="work") == 1000
    try:
        t.pause(0, -2)
    except FileNotFoundError:
        pass
    print("asyncio" in sys.modules, "threading" in sys.modules)


def ctrl_c(how):
    """A KeyboardInterrupt in the main thread, which waits in one of many ways."""
    import signal
    import threading
    import time

    main = threading.main_thread().ident

    def send():
        while not t.live_futures():
            time.sleep(0.001)
        if how == "another thread takes it":
            signal.raise_signal(signal.SIGINT)
        else:
            signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=send).start()
    if how == "another thread takes it":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # in this thread
    try:
        if how == "work":
            t.pause(300000000, how="work")
        elif how == "detached":
            t.pause_detached(HOUR)
        else:
            t.pause(HOUR)
    except KeyboardInterrupt:
        print("interrupted", t.live_futures())


globals()[sys.argv[1]](*sys.argv[2:])
