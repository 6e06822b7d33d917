"""One hundred messages, each awaited with a time limit that is often too short: none is lost.

python examples/receive/demo.py        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import random
import sys

from receive import Inbox

N = 100


async def main() -> None:
    """Receive until there are no more."""
    chance = random.Random(1)
    inbox = Inbox(N)
    got: list[int] = []
    late = 0
    try:
        while True:
            try:
                got.append(await asyncio.wait_for(inbox.recv(), chance.random() * 0.001))
            except asyncio.TimeoutError:
                late += 1
    except BrokenPipeError:
        pass
    if got != list(range(N)) or late == 0:
        sys.exit(f"lost some: {got}")
    print(f"{N} messages, each once and in order, between time-outs")


if __name__ == "__main__":
    asyncio.run(main())
