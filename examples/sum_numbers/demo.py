"""An async generator gives the sizes of files; C code adds them up, in place and on the pool, and may stop early.

python examples/sum_numbers/demo.py [FOLDER]        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import sum_numbers

closed = 0  # how many of the generators below have come to the end of their `finally`


async def sizes(folder: Path, times: int = 1) -> AsyncIterator[int]:
    """The sizes of the files in a folder, so many times over; the loop has its turn in between."""
    global closed
    try:
        for _ in range(times):
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file():
                        yield entry.stat().st_size
                        await asyncio.sleep(0)
    finally:
        await asyncio.sleep(0.001)  # what closes a connection awaits, too
        closed += 1


async def words() -> AsyncIterator[str]:
    """Not numbers."""
    yield "one"


async def main() -> None:
    """In both ways: add up all, then some, then what cannot be added up."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_path("stdlib"))
    expected = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    for add_up in (sum_numbers.sum, sum_numbers.sum_on_pool):
        if await add_up(sizes(folder)) != expected:
            sys.exit(f"{add_up.__name__}: not the sum of the sizes")
        print(f"{add_up.__name__}: the sum of all sizes")
        some = await add_up(sizes(folder, times=1000), limit=expected // 2)  # far from its end when stopped
        print(f"{add_up.__name__}: at least half of it: {some >= expected // 2}, generators closed: {closed}")
        try:
            await add_up(words())
        except TypeError as error:
            print(f"{add_up.__name__}: TypeError: {error}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OSError as error:
        sys.exit(str(error))
