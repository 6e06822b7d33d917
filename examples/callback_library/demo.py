"""Read a file in pieces, all of them at once, while libc's own threads do the reading.

python examples/callback_library/demo.py [FILE]        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from callback_library import read

PIECE = 64 * 1024


async def read_pieces(path: Path) -> bytes:
    """The whole file, from one read for each piece of it."""
    with path.open("rb", buffering=0) as file:
        offsets = range(0, path.stat().st_size, PIECE)
        return b"".join(await asyncio.gather(*(read(file, PIECE, offset) for offset in offsets)))


async def cancel_reads(path: Path, count: int) -> bool:
    """Start that many reads and cancel those that are in flight; whether each of them ended with the cancellation."""
    with path.open("rb", buffering=0) as file:
        tasks = [asyncio.ensure_future(read(file, PIECE)) for _ in range(count)]
        await asyncio.sleep(0)  # all of them have begun now, and the first may have ended
        cancelled = [task for task in tasks if task.cancel()]
        await asyncio.gather(*tasks, return_exceptions=True)
    return all(task.cancelled() for task in cancelled)


async def main() -> None:
    """Read, check, cancel."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else sys.executable)
    data = await read_pieces(path)
    if data != path.read_bytes():
        sys.exit(f"{path}: what was read in pieces is not the file")
    print(f"read {len(data)} bytes in {-(-len(data) // PIECE)} pieces, equal to the file")
    if not await cancel_reads(path, 100):
        sys.exit("a read swallowed its cancellation")
    print("cancelled 100 reads in flight")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OSError as error:
        sys.exit(str(error))
