"""An echo server in C, and one in Python, on the same loop; the client in C puts the same load on both.

python examples/echo/demo.py [CONNECTIONS [REQUESTS]]        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator

from echo import load, serve


async def send_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A connection of the server in Python."""
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def server_in_python() -> AsyncIterator[int]:
    """asyncio's server; its port."""
    connections: list[asyncio.Future[None]] = []

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.ensure_future(send_back(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0, backlog=1000)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*connections)  # else asyncio.run cancels those that have not come to their end yet


@contextlib.asynccontextmanager
async def server_in_c() -> AsyncIterator[int]:
    """The server in C as a task; its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listening:
        listening.setblocking(False)
        task = asyncio.ensure_future(serve(listening))
        try:
            yield listening.getsockname()[1]
        finally:
            task.cancel()
            await asyncio.wait([task])


async def main(connections: int = 50, requests: int = 100) -> None:
    """The same load on each."""
    for name, server in (("C", server_in_c), ("Python", server_in_python)):
        async with server() as port:
            seconds, p50, p99 = await load(port, connections, requests)
        rate = connections * requests / seconds
        print(f"server in {name}: {rate:.0f} requests/s, p50 {p50:.0f} us, p99 {p99:.0f} us")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
