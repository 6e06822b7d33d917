"""The examples that await one thing after another: each is cancelled at each of its suspension points, after more and
more turns of the loop, and used again."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.common import settle, sleep, spawn
from support.points import cancelled_after_turns, cancelled_at_each_point

Run = Callable[..., Any]


async def over(iterable: Any) -> int:
    """The number of its items."""
    return len([item async for item in iterable])


async def numbers() -> AsyncIterator[int]:
    """Some, with cleanup that awaits."""
    try:
        for number in range(5):
            yield number
            await sleep(0.001)
    finally:
        await sleep(0)


async def wait_until_readable(module: Any) -> None:
    """A message of another task."""
    ours, theirs = socket.socketpair()

    async def send() -> None:
        await sleep(0.001)
        with theirs, contextlib.suppress(BrokenPipeError):  # where the reader was cancelled
            theirs.send(b"x")

    with ours:
        spawn(send())
        await module.wait_readable(ours)


async def wait_for_a_child(module: Any) -> None:
    """Its exit code."""
    with subprocess.Popen(["sleep", "0.005"]) as child:
        assert await module.exited(child.pid) == 0


async def read(module: Any, path: Path) -> None:
    """A read that libc's own threads do."""
    with path.open("rb", buffering=0) as file:
        assert len(await module.read(file, 100)) == 100


async def receive(module: Any) -> None:
    """All messages; a wait that was cancelled has taken none."""
    inbox = module.Inbox(3)
    for number in range(3):
        assert await inbox.recv() == number


async def add_up(module: Any, pipe: tuple[int, int]) -> None:
    """One byte at least; more where one who was cancelled has left some."""
    os.write(pipe[1], b"\1")
    assert await module.checksum(pipe[0]) > 0


USES: dict[str, tuple[str, Callable[[Any, Path, tuple[int, int]], Any]]] = {
    "look a user up": ("blocking_call", lambda module, file, pipe: module.user("root")),
    "read a piece": ("callback_library", lambda module, file, pipe: read(module, file)),
    "sleep": ("fd_and_timer", lambda module, file, pipe: module.sleep(0.001)),
    "wait until readable": ("fd_and_timer", lambda module, file, pipe: wait_until_readable(module)),
    "wait for a child": ("fd_and_timer", lambda module, file, pipe: wait_for_a_child(module)),
    "lines": ("file_lines", lambda module, file, pipe: over(module.lines(file))),
    "files": ("event_source", lambda module, file, pipe: over(module.walk(str(file.parent)))),
    "messages": ("receive", lambda module, file, pipe: receive(module)),
    "a sum": ("sum_numbers", lambda module, file, pipe: module.sum(numbers())),
    "a sum on the pool": ("sum_numbers", lambda module, file, pipe: module.sum_on_pool(numbers())),
    "three steps": ("three_steps", lambda module, file, pipe: add_up(module, pipe)),
    "a hash": ("_tour", lambda module, file, pipe: module.hash_file(file)),
}


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Read from, written to."""
    fds = os.pipe()
    yield fds
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize("each", [cancelled_at_each_point, cancelled_after_turns])
@pytest.mark.parametrize("use", USES)
def test_example_is_cancelled_anywhere_and_used_again(
    run: Run, tmp_path: Path, pipe: tuple[int, int], each: Any, use: str
) -> None:
    name, make = USES[use]
    module = pytest.importorskip(name, reason=f"the module {name} is not built")
    file = tmp_path / "file"
    file.write_text("a line\n" * 200)
    run(each, lambda: make(module, file, pipe), settle)
