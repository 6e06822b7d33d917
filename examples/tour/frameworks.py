"""The tour's main part on every framework that is installed: the same compiled function, awaited by each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from _tour import hash_file
from measure import hash_side_by_side, loops, run_on

Digests = list[Any]
Runner = Callable[[Sequence[str]], Digests]


async def hash_in_nursery(
    open_nursery: Callable[[], AbstractAsyncContextManager[Any]], paths: Sequence[str]
) -> Digests:
    """Hash all of these at the same time, in a nursery of trio or a task group of anyio."""
    digests: Digests = [None] * len(paths)

    async def hash_one(number: int, path: str) -> None:
        digests[number] = await hash_file(path)

    async with open_nursery() as nursery:
        for number, path in enumerate(paths):
            nursery.start_soon(hash_one, number, path)
    return digests


def frameworks() -> dict[str, Runner]:
    """How to hash files on each framework of this environment."""

    def on_loop(new_loop: Callable[[], Any], paths: Sequence[str]) -> Digests:
        main: Coroutine[Any, Any, Digests] = hash_side_by_side(hash_file, paths)
        return run_on(new_loop, main)

    found: dict[str, Runner] = {name: partial(on_loop, new_loop) for name, new_loop in loops().items()}
    try:
        import trio

        found["trio"] = partial(trio.run, hash_in_nursery, trio.open_nursery)
    except ImportError:
        pass
    try:
        import anyio

        nursery = anyio.create_task_group
        found["anyio on asyncio"] = lambda paths: anyio.run(hash_in_nursery, nursery, paths, backend="asyncio")
        if "trio" in found:
            found["anyio on trio"] = lambda paths: anyio.run(hash_in_nursery, nursery, paths, backend="trio")
    except ImportError:
        pass
    return found


def measure_all(paths: Sequence[str], rounds: int) -> dict[str, tuple[float, bool]]:
    """For each framework: seconds per file, the median of all rounds, taken in turns; and whether all agree."""
    runners = frameworks()
    times: dict[str, list[float]] = {name: [] for name in runners}
    digests: dict[str, Digests] = {}
    for number in range(rounds):
        for name in runners if number % 2 else reversed(runners):
            begin = time.perf_counter()
            digests[name] = runners[name](paths)
            times[name].append((time.perf_counter() - begin) / len(paths))
    return {name: (statistics.median(times[name]), digests[name] == digests["asyncio"]) for name in runners}
