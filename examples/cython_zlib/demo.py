"""Compress buffers on worker threads, and a file as a stream; Python's own zlib and gzip check what comes of it.

python setup.py build_ext --inplace && python demo.py [FILE]        in this folder
"""

from __future__ import annotations

import _pydecimal
import asyncio
import contextlib
import gzip
import os
import sys
from pathlib import Path

from zlib_threads import ZlibError, compress, decompress, gzip_file


async def round_trip(count: int) -> bool:
    """Compress that many buffers at once, and decompress them; whether they are the same."""
    buffers = [os.urandom(512) * (number + 1) for number in range(count)]
    packed = await asyncio.gather(*(compress(data) for data in buffers))
    pairs = zip(packed, buffers, strict=True)
    return buffers == await asyncio.gather(*(decompress(data, len(buffer)) for data, buffer in pairs))


async def compress_file(path: Path) -> bytes:
    """The file in the format of gzip."""
    return b"".join([chunk async for chunk in gzip_file(path)])


async def first_chunk(path: Path) -> bytes:
    """Only the first chunk: the worker that makes them stops."""
    async with contextlib.aclosing(gzip_file(path)) as chunks:
        return await anext(chunks)


async def main() -> None:
    """Compress, check, fail, stop early."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else _pydecimal.__file__)
    if not await round_trip(100):
        sys.exit("what was decompressed is not what was compressed")
    packed = await compress_file(path)
    if gzip.decompress(packed) != path.read_bytes():
        sys.exit(f"{path}: the chunks are not the file")
    print(f"{path}: {path.stat().st_size} bytes, {len(packed)} in the format of gzip")
    try:
        await decompress(b"not what zlib makes", 100)
    except ZlibError as error:
        print("zlib says:", error)
    else:
        sys.exit("anything can be decompressed")
    print(f"the first chunk has {len(await first_chunk(path))} bytes")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OSError as error:
        sys.exit(str(error))
