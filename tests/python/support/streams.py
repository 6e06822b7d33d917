"""Streams of the frameworks over real sockets with a peer at the other end, and stand-ins for streams."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
from typing import Any

import anyio
import trio

from support.common import on_trio, turn
from support.frameworks import Structured, current

BIG = 10_000_000


def much(length: int = BIG) -> bytes:
    return hashlib.shake_128(b"cawait").digest(length)


class Connection:
    """A stream of the running framework for each direction, and the socket at the other end."""

    def __init__(self, source: Any, sink: Any, peer: socket.socket) -> None:
        self.source, self.sink, self.peer = source, sink, peer

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.peer.close()
        with current().shield():
            try:
                if hasattr(self.sink, "drain"):
                    self.sink.close()
                    await self.sink.wait_closed()
                else:
                    await self.sink.aclose()
            except (OSError, anyio.BrokenResourceError, trio.BrokenResourceError):
                pass

    async def receive(self, n: int) -> bytes:
        """Receive as a program would."""
        method = getattr(
            self.source,
            {True: "receive_some", False: "receive"}[hasattr(self.source, "receive_some")],
            None,
        )
        return bytes(await (method or self.source.read)(n))


async def connect(listener: socket.socket) -> Connection:
    """A connection to the listener, by the running framework."""
    port = listener.getsockname()[1]
    here = current()
    if isinstance(here, Structured) and here.library is anyio:
        one = two = await anyio.connect_tcp("127.0.0.1", port)
    elif on_trio():
        one = two = await trio.open_tcp_stream("127.0.0.1", port)
    else:
        one, two = await asyncio.open_connection(sock=socket.create_connection(("127.0.0.1", port)))
    return Connection(one, two, listener.accept()[0])


class Peer(threading.Thread):
    """A thread at the other end: sends, shuts its direction down, and reads until the end."""

    def __init__(self, peer: socket.socket, data: bytes) -> None:
        super().__init__()
        self.peer, self.data, self.got = peer, data, b""
        self.start()

    def run(self) -> None:
        sender = threading.Thread(target=self.send)
        sender.start()
        blocks = []
        while block := self.peer.recv(1 << 20):
            blocks.append(block)
        sender.join()
        self.got = b"".join(blocks)

    def send(self) -> None:
        self.peer.sendall(self.data)
        self.peer.shutdown(socket.SHUT_WR)


# --- stand-ins ---


class Trouble(Exception):
    """An exception raised by a stream."""


class Source:
    """A stream of the kind of its class, which gives these things and then the end."""

    def __init__(self, *things: Any) -> None:
        self.things, self.asked = list(things), []

    async def take(self, n: int) -> Any:
        self.asked.append(n)
        await turn()
        thing = self.things.pop(0) if self.things else b""
        if isinstance(thing, BaseException):
            raise thing
        return thing


class TrioSource(Source):
    receive_some = Source.take


class AsyncioSource(Source):
    read = Source.take


class AnyioSource(Source):
    async def receive(self, n: int) -> Any:
        value = await self.take(n)
        if not value:
            raise anyio.EndOfStream
        return value


class Sink:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error, self.got, self.closed = error, [], 0

    async def take(self, data: Any) -> None:
        await turn()
        assert type(data) is bytes
        if self.error:
            raise self.error
        self.got.append(data)

    async def aclose(self) -> None:
        await turn()
        self.closed += 1


class TrioSink(Sink):
    send_all = Sink.take


class AnyioSink(Sink):
    send = Sink.take


class AsyncioSink(Sink):
    def write(self, data: bytes) -> None:
        self.data = data

    async def drain(self) -> None:
        await self.take(self.data)

    def close(self) -> None:
        self.closed += 1

    async def wait_closed(self) -> None:
        await turn()


SOURCES = [TrioSource, AsyncioSource, AnyioSource]
SINKS = [TrioSink, AsyncioSink, AnyioSink]
