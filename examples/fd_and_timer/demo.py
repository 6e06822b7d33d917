"""Wait for a timer, for a socket, and for the end of a child process.

python examples/fd_and_timer/demo.py        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time

from fd_and_timer import exited, sleep, wait_readable


async def timer() -> None:
    """A sleep lasts at least as long as its argument says."""
    start = time.monotonic()
    await sleep(0.02)
    print(f"slept for 20 ms, and at least as long: {time.monotonic() - start >= 0.02}")


async def message() -> None:
    """Receive what another task sends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        asyncio.get_running_loop().call_later(0.01, theirs.send, b"hello")
        await wait_readable(ours)
        print(f"received {ours.recv(100)!r}")


async def children() -> None:
    """One child process ends by itself, the other is killed."""
    program = [sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(3)"]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as one, subprocess.Popen(["sleep", "60"]) as two:
        ends = asyncio.gather(exited(one.pid), exited(two.pid))
        await sleep(0.01)
        one.stdin.close()  # now it exits
        two.kill()
        code, signal_number = await ends
    print(f"one exited with {code}, the other was ended by {signal.Signals(-signal_number).name}")


async def main() -> None:
    """All three at once would do as well; one after another reads better."""
    await timer()
    await message()
    await children()


if __name__ == "__main__":
    asyncio.run(main())
