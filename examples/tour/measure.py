"""What the tour runs and measures; nothing here prints."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import stat
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, TypeVar

from _tour import hash_file, hashes, nothing

T = TypeVar("T")
Hash = Callable[[str], Coroutine[Any, Any, bytes]]
NewLoop = Callable[[], asyncio.AbstractEventLoop]

CHUNK = 65536  # as in tour.c
AT_ONCE = 20_000  # no more operations than this are in flight, however large the tree
BREATH = 100  # start that many, then let the loop do something else
TICK = 0.001
TASKS, AWAITS = 1000, 10  # for the operation that does nothing
CANCELLED = 5000


@dataclass(frozen=True)
class File:
    """A file as it was when the tree was listed."""

    path: str
    size: int
    changed: int


@dataclass(frozen=True)
class Lateness:
    """How late a ticker was, in seconds."""

    ticks: int
    median: float
    worst: float
    busy: float  # the most CPU time of the loop's own thread from the request of a wake-up to the wake-up


@dataclass(frozen=True)
class Cancel:
    """What a cancel in full flight did."""

    in_flight: int
    running: int  # of those, on a worker just then
    asked: int  # tasks
    cancelled: int  # tasks that ended with the cancellation
    seconds: float
    left: int


@dataclass(frozen=True)
class Pair:
    """Seconds per await, ours and asyncio.to_thread's: the medians of all rounds."""

    ours: float
    theirs: float


def loops() -> dict[str, NewLoop]:
    """The event loops of this environment."""
    found: dict[str, NewLoop] = {"asyncio": asyncio.new_event_loop}
    try:
        import uvloop
    except ImportError:
        return found
    return {**found, "uvloop": uvloop.new_event_loop}


def run_on(new_loop: NewLoop, main: Coroutine[Any, Any, T]) -> T:
    """asyncio.run() for any loop. Ctrl-C cancels `main`, which ends what it began; then KeyboardInterrupt is raised."""
    interrupted = False
    task: asyncio.Task[T] | None = None

    def interrupt(*_: object) -> None:
        """Raise nothing: in the middle of making or closing a loop that would leave half of it."""
        nonlocal interrupted
        interrupted = True
        if task is not None and not task.done():
            loop.call_soon_threadsafe(task.cancel)

    # Not add_signal_handler: that needs room in the loop's own pipe, which a flood of to_thread's results fills.
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        loop = new_loop()
        try:
            task = loop.create_task(main)
            if interrupted:
                task.cancel()
            result = loop.run_until_complete(task)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt
    return result


def list_files(tree: str) -> tuple[list[File], list[OSError]]:
    """All regular files below a folder, and the folders that cannot be listed. Links to folders are not followed."""
    files: list[File] = []
    errors: list[OSError] = []
    for folder, _, names in os.walk(tree, onerror=errors.append):
        for path in (os.path.join(folder, name) for name in names):
            try:
                status = os.stat(path)
            except OSError:
                continue  # a link to nowhere, or it has gone
            if stat.S_ISREG(status.st_mode):
                files.append(File(path, status.st_size, status.st_mtime_ns))
    return files, errors


def sample(files: Sequence[File], count: int, size: int) -> list[str]:
    """At most that many files, from all over the tree, and of about that many bytes at most; at least one."""
    chosen: list[str] = []
    total = 0
    for file in files[:: -(-len(files) // count)]:
        if not chosen or total + file.size <= size:
            chosen.append(file.path)
            total += file.size
    return chosen


def hash_by_hashlib(path: str) -> bytes:
    """The same hash of the same chunks, by Python: from the same libcrypto, where hashlib was built with it."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.digest()


def equals_hashlib(file: File, digest: bytes) -> bool:
    """Whether hashlib finds the same."""
    try:
        return hash_by_hashlib(file.path) == digest
    except OSError:
        return False


def has_changed(file: File) -> bool:
    """Whether the file is another one than when the tree was listed."""
    try:
        status = os.stat(file.path)
    except OSError:
        return True
    return (status.st_size, status.st_mtime_ns) != (file.size, file.changed)


async def hash_in_thread(path: str) -> bytes:
    """What one would do without a native awaitable."""
    return await asyncio.to_thread(hash_by_hashlib, path)


async def finish(tasks: Iterable[asyncio.Task[bytes]]) -> list[bytes | BaseException]:
    """The ends of all tasks."""
    return await asyncio.gather(*tasks, return_exceptions=True)


async def start(operation: Hash, paths: Iterable[str], breath: int = BREATH) -> list[asyncio.Task[bytes]]:
    """Start one task for each path; the loop serves others in between. When it is cancelled, it leaves no task."""
    tasks: list[asyncio.Task[bytes]] = []
    try:
        for number, path in enumerate(paths, 1):
            tasks.append(asyncio.create_task(operation(path)))
            if number % breath == 0:
                await asyncio.sleep(0)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await finish(tasks)
        raise
    return tasks


async def hash_side_by_side(operation: Hash, paths: Iterable[str]) -> list[bytes | BaseException]:
    """Hash all of these at the same time."""
    return await finish(await start(operation, paths))


async def hash_tree(files: Sequence[File], seen: Callable[[int, int], None]) -> list[bytes | OSError]:
    """Hash every file with _tour; `seen(done, in_flight)` is called by the loop now and then."""
    ends: list[bytes | OSError] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.03)
            alive = hashes()[1]
            seen(max(len(ends), len(ends) + started - alive), alive)

    started = 0
    watcher = asyncio.create_task(watch())
    try:
        for first in range(0, len(files), AT_ONCE):
            paths = [file.path for file in files[first : first + AT_ONCE]]
            started = len(paths)
            tasks = await start(hash_file, paths)
            seen(len(ends), hashes()[1])
            for end in await finish(tasks):
                if not isinstance(end, (bytes, OSError)):
                    raise end
                ends.append(end)
    finally:
        watcher.cancel()
    return ends


async def lateness_of_ticker(load: Hash | None, paths: Sequence[str], seconds: float) -> Lateness:
    """Request a wake-up in 1 ms, again and again, while the same loop hashes (or does nothing else)."""
    late: list[float] = [0.0]
    busy: list[float] = [0.0]

    async def tick() -> None:
        while True:
            due, spent = time.perf_counter() + TICK, time.thread_time()
            await asyncio.sleep(TICK)
            late.append(time.perf_counter() - due)
            busy.append(time.thread_time() - spent)

    ticker = asyncio.create_task(tick())
    end = time.perf_counter() + seconds
    try:
        while (left := end - time.perf_counter()) > 0:
            if load:
                await hash_side_by_side(load, paths)
            else:
                await asyncio.sleep(left)
    finally:
        ticker.cancel()
    return Lateness(len(late) - 1, statistics.median(late), max(late), max(busy))


async def cancel_in_flight(paths: Sequence[str]) -> Cancel:
    """Start thousands of hashes, cancel all of them in the middle, and count what is left once every task has ended."""
    tasks = await start(hash_file, islice(cycle(paths), CANCELLED), CANCELLED)
    running, in_flight = hashes()
    begin = time.perf_counter()
    asked = sum(task.cancel() for task in tasks)
    ends = await finish(tasks)
    seconds = time.perf_counter() - begin
    cancelled = sum(isinstance(end, asyncio.CancelledError) for end in ends)
    return Cancel(in_flight, running, asked, cancelled, seconds, left=max(hashes()))


async def nothing_in_thread() -> None:
    """What `nothing` does, by asyncio.to_thread."""
    await asyncio.to_thread(int)


async def time_hashing(operation: Hash, paths: Sequence[str]) -> float:
    """Seconds per file: one task for each."""
    begin = time.perf_counter()
    ends = await hash_side_by_side(operation, paths)
    taken = time.perf_counter() - begin
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return taken / len(paths)


async def time_nothing(operation: Callable[[], Awaitable[None]]) -> float:
    """Seconds per await of an operation that does nothing: some tasks, some awaits in each."""

    async def repeat() -> None:
        for _ in range(AWAITS):
            await operation()

    begin = time.perf_counter()
    await asyncio.gather(*(repeat() for _ in range(TASKS)))
    return (time.perf_counter() - begin) / (TASKS * AWAITS)


async def in_turns(ours: Callable[[], Awaitable[float]], theirs: Callable[[], Awaitable[float]], rounds: int) -> Pair:
    """Both measured alternately, in changing order. Before several rounds comes one that does not count."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds if rounds == 1 else rounds + 1):
        if number == 1:
            times = {True: [], False: []}
        for mine in (True, False) if number % 2 else (False, True):
            times[mine].append(await (ours() if mine else theirs()))
    return Pair(statistics.median(times[True]), statistics.median(times[False]))


async def compare_hashing(paths: Sequence[str], rounds: int) -> Pair:
    """Hashing files: _tour against hashlib in asyncio.to_thread."""
    return await in_turns(lambda: time_hashing(hash_file, paths), lambda: time_hashing(hash_in_thread, paths), rounds)


async def compare_nothing(rounds: int) -> Pair:
    """An operation that does nothing: on the pool against asyncio.to_thread."""
    return await in_turns(lambda: time_nothing(nothing), lambda: time_nothing(nothing_in_thread), rounds)
