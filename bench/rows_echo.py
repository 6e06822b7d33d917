"""Rows about a server under load: async functions in C against asyncio's streams, both on Python's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import _cawait_bench as native
from measure import LOOPS, Row, alternate_async, compared, run_on

LOAD = Path(native.__file__).parent / "load"
"""The client (load.c). It is the same for all, and a process of its own."""
CONNECTIONS, SIZE = 50, 64

Server = Callable[[socket.socket], AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def in_c(listener: socket.socket) -> AsyncIterator[None]:
    """Our side: one async function in C accepts, and one serves each connection (echo.c)."""
    server = asyncio.ensure_future(native.echo_server(listener))
    try:
        yield
    finally:
        server.cancel()
        await asyncio.wait([server])


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The baseline's side of a connection."""
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def with_streams(listener: socket.socket) -> AsyncIterator[None]:
    """The baseline: asyncio.start_unix_server."""
    async with await asyncio.start_unix_server(echo, sock=listener):
        yield


async def under_load(serve: Server, requests: int) -> dict[str, float]:
    """What the client says of a server in this process, and what CPU time of this process a request has cost."""
    with tempfile.TemporaryDirectory(prefix="echo-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = f"{folder}/socket"
        listener.bind(path)
        listener.listen(CONNECTIONS)
        listener.setblocking(False)
        async with serve(listener):
            command = (LOAD, path, str(CONNECTIONS), str(requests), str(SIZE))
            client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            begin = time.process_time_ns()
            said, _ = await client.communicate()
            computed = time.process_time_ns() - begin
    if client.returncode != 0:
        raise RuntimeError(f"the client ended with exit code {client.returncode}")
    return {"server_ns": computed / (requests * 1.1 + CONNECTIONS), **json.loads(said)}


def both(seen: dict[str, float], key: str) -> str:
    """Our figure and the baseline's, as text."""
    return f"{seen[f'ours_{key}']:,.0f} / {seen[f'baseline_{key}']:,.0f}"


def echo_row(name: str, loop: str, goal: float, quick: bool) -> Iterator[Row]:
    """The server's CPU time for a request, which is what its rate is bound by under full load. And, for comparison, the
    time of a request at the client: where the two share a CPU, that is the client's own time as well."""
    if loop not in LOOPS:
        return
    requests, runs = (2_000, 3) if quick else (30_000, 9)
    said: dict[Server, list[dict[str, float]]] = {in_c: [], with_streams: []}

    async def side(serve: Server) -> float:
        said[serve].append(await under_load(serve, requests))
        return said[serve][-1]["server_ns"]

    times = run_on(loop, alternate_async(lambda: side(in_c), lambda: side(with_streams), runs))
    row = {"name": name, "unit": "ns", "loop": loop}
    yield compared({**row, "goal": goal, "variant": "the server's CPU"}, *times)
    at_client = [[one["ns"] for one in side[1:]] for side in said.values()]
    seen = {
        f"{who}_{key}": statistics.median(one[key] for one in said[serve][1:])
        for who, serve in (("ours", in_c), ("baseline", with_streams))
        for key in ("p50_us", "p99_us", "busy")
    }
    note = (
        f"p50 {both(seen, 'p50_us')}, p99 {both(seen, 'p99_us')} µs; "
        f"the client computed {seen['ours_busy']:.0%} / {seen['baseline_busy']:.0%}"
    )
    extra = {"connections": CONNECTIONS, "requests": requests, "note": note, **seen}
    yield compared({**row, "goal": None, "variant": "at the client", "extra": extra}, *at_client)


def uvloop_streams(quick: bool) -> Iterator[Row]:
    """Both on uvloop."""
    yield from echo_row("echo/uvloop_streams", "uvloop", 0.5, quick)


def asyncio_streams(quick: bool) -> Iterator[Row]:
    """Both on asyncio's own loop."""
    yield from echo_row("echo/asyncio_streams", "asyncio", 0.3, quick)
