"""The tour's stream: hashes that native threads send, taken by one `async for`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from _tour import hash_all, hashes
from measure import NewLoop, run_on

SLOW, BREAK = 0.001, 200  # the slow consumer: seconds for each hash, and after how many it stops


@dataclass(frozen=True)
class Taken:
    """What came out of a stream."""

    digests: dict[str, bytes]
    seconds: float
    ahead: int  # how many files at most were begun and had not come out
    left: int  # native threads, once the stream was closed


async def take(paths: Sequence[str], pause: float = 0, enough: int = 0) -> Taken:
    """Take hashes, with a pause after each, until there are enough, or all; then the stream is closed."""
    digests: dict[str, bytes] = {}
    most = 0
    begin = time.perf_counter()
    async with contextlib.aclosing(hash_all(paths)) as stream:
        async for number, digest, ahead in stream:
            digests[paths[number]] = digest
            most = max(most, ahead)
            if len(digests) == enough:
                break
            if pause:
                await asyncio.sleep(pause)
    seconds = time.perf_counter() - begin
    deadline = time.monotonic() + 1  # a thread ends with the file that it hashes
    while max(hashes()) and time.monotonic() < deadline:
        await asyncio.sleep(0.001)
    return Taken(digests, seconds, most, max(hashes()))


def take_on(new_loop: NewLoop, paths: Sequence[str]) -> dict[str, Taken]:
    """All of them as fast as they come; and some, slowly."""
    return {
        "fast": run_on(new_loop, take(paths)),
        "slow": run_on(new_loop, take(paths, SLOW, BREAK)),
    }
