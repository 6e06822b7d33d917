"""The sum of the bytes of a pipe, by an async function in C; and what it raises where none come.

python examples/three_steps/demo.py    with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import os

from three_steps import checksum


async def main() -> None:
    """Once with bytes, once without, once with something that is no fd; and a thousand at once."""
    here, there = os.pipe()
    os.set_blocking(here, False)  # several tasks read it below
    coroutine = checksum(here)
    task = asyncio.ensure_future(coroutine)
    await asyncio.sleep(0.05)
    print(repr(coroutine).split("/")[-1].split(",")[0])
    os.write(there, bytes(range(100)))
    print(await task)
    try:
        await asyncio.wait_for(checksum(here), 0.05)
    except asyncio.TimeoutError:
        print("nothing came")
    try:
        await checksum(-1)
    except OSError as error:
        print(error.strerror)
    os.close(there)
    print(sum(await asyncio.gather(*(checksum(here) for _ in range(1000)))))
    os.close(here)


if __name__ == "__main__":
    asyncio.run(main())
