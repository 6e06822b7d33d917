"""Byte streams of asyncio, trio and anyio that C reads and writes: real sockets, in place, as tasks, from threads."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
import trio
import trio.testing

import _cawait_test as t
from support.common import (
    cancellation,
    cancelled,
    ended,
    on_trio,
    settle,
    sleep,
    spawn,
    started,
    turn,
    until,
)
from support.frameworks import Structured, current
from support.streams import (
    BIG,
    SINKS,
    SOURCES,
    AsyncioSource,
    Connection,
    Peer,
    TrioSink,
    TrioSource,
    Trouble,
    connect,
    much,
)

HOWS = ["here", "posted", "pool", "scope", "thread"]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that can be connected to."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


@pytest.mark.parametrize("how", HOWS)
def test_ten_megabytes_come_back_as_they_were(run: Callable[..., Any], listener: socket.socket, how: str) -> None:
    async def main() -> None:
        async with await connect(listener) as there:
            peer = Peer(there.peer, data := much())
            assert await t.copy(there.source, there.sink, how=how) == (BIG if how in ("here", "posted") else None)
            peer.join()
            assert hashlib.sha256(peer.got).digest() == hashlib.sha256(data).digest()

    run(main)


@pytest.mark.parametrize("size, length", [(1, 300), (7, 3000), (70000, 3000)])
def test_buffer_of_any_size_is_filled_as_far_as_there_are_bytes(
    run: Callable[..., Any], listener: socket.socket, size: int, length: int
) -> None:
    async def main() -> None:
        for copy in (t.copy, t.copy_nogil):
            async with await connect(listener) as there:
                peer = Peer(there.peer, data := much(length))
                assert await copy(there.source, there.sink, size=size) == length
                peer.join()
                assert peer.got == data

    run(main)


def test_server_of_asyncio_echoes_by_c(run_asyncio: Callable[..., Any]) -> None:
    async def main() -> None:
        handled = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await t.copy(reader, writer) == 200_000
            handled.set()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        mine = socket.create_connection(server.sockets[0].getsockname())
        reader, writer = await asyncio.open_connection(sock=mine)
        writer.write(data := much(200_000))
        writer.write_eof()
        assert await reader.read() == data
        writer.close()
        await writer.wait_closed()
        await handled.wait()
        server.close()
        await server.wait_closed()

    run_asyncio(main)


def test_streams_of_trio_in_memory_and_stapled_are_copied() -> None:
    async def main() -> None:
        mine, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(t.copy, trio.StapledStream(mine.send_stream, mine.receive_stream), mine)
            await theirs.send_all(b"hello")
            assert await theirs.receive_some(100) == b"hello"
            await theirs.send_eof()
            assert await theirs.receive_some(100) == b""

    trio.run(main)


def test_file_descriptor_is_copied_to_a_stream_and_back(run: Callable[..., Any], listener: socket.socket) -> None:
    async def main() -> None:
        data = much(500_000)
        with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as sink:
            source.write(data)
            source.flush()
            os.lseek(source.fileno(), 0, os.SEEK_SET)
            async with await connect(listener) as there:
                peer = Peer(there.peer, data)
                assert await t.copy(there.source, sink.fileno()) == len(data)
                assert await t.copy(source.fileno(), there.sink) == len(data)
                peer.join()
                assert peer.got == data
            sink.seek(0)
            assert sink.read() == data

    run(main)


# --- back-pressure ---


@pytest.mark.parametrize("how", HOWS)
def test_writer_waits_while_the_other_end_does_not_read(
    run: Callable[..., Any], listener: socket.socket, how: str
) -> None:
    async def main() -> None:
        with tempfile.TemporaryFile() as source:
            source.write(much(2 * BIG))
            source.flush()
            fd = source.fileno()
            os.lseek(fd, 0, os.SEEK_SET)
            async with await connect(listener) as there:
                task = spawn(t.copy(fd, there.sink, how=how))
                before, now = -1, 0
                while now != before:
                    await sleep(0.1)
                    before, now = now, os.lseek(fd, 0, os.SEEK_CUR)
                assert 0 < now < 2 * BIG
                assert not task.done()
                peer = Peer(there.peer, b"")
                await task
                peer.join()
                assert len(peer.got) == 2 * BIG

    run(main)


# --- cancellation ---


@pytest.mark.parametrize("how", HOWS)
def test_copy_that_is_cancelled_while_it_reads_ends_and_the_stream_goes_on(
    run: Callable[..., Any], listener: socket.socket, how: str
) -> None:
    async def main() -> None:
        async with await connect(listener) as there:
            task = await started(t.copy(there.source, there.sink, how=how, closes=False))
            there.peer.send(b"one")
            assert await received(there.peer, b"one")
            await settle()
            if how != "thread":  # a blocked thread cannot be cancelled
                await cancelled(task)
                there.peer.send(b"two")
                assert await there.receive(100) == b"two"
            else:
                there.peer.shutdown(socket.SHUT_WR)
                await task

    run(main)


async def received(peer: socket.socket, expected: bytes) -> bool:
    peer.setblocking(False)
    got = b""
    while len(got) < len(expected):
        try:
            got += peer.recv(100)
        except BlockingIOError:
            await turn()
    peer.setblocking(True)
    return got == expected


@pytest.mark.parametrize("how", ["here", "posted", "pool", "scope"])
def test_copy_that_is_cancelled_while_it_writes_ends(
    run: Callable[..., Any], listener: socket.socket, how: str
) -> None:
    async def main() -> None:
        zero = os.open("/dev/zero", os.O_RDONLY)
        async with await connect(listener) as there:
            task = await started(t.copy(zero, there.sink, how=how))
            await sleep(0.1)
            await cancelled(task)
        os.close(zero)

    run(main)


async def receive_when_free(there: Connection) -> bytes:
    """Once a read has ended that was dropped on another thread, without being waited for."""
    while True:
        try:
            return await there.receive(100)
        except (RuntimeError, trio.BusyResourceError, anyio.BusyResourceError) as error:
            assert re.search("already|another", str(error))
            await turn()


@pytest.mark.parametrize("how", ["here", "posted", "pool", "scope"])
def test_coroutine_that_is_dropped_or_closed_ends_the_read(
    run: Callable[..., Any], listener: socket.socket, how: str
) -> None:
    async def main() -> None:
        async with await connect(listener) as there:
            for begins in (False, True):
                coroutine = t.copy(there.source, there.sink, how=how)
                if begins and not on_trio():  # trio's waits for sockets cannot be driven by hand
                    coroutine.send(None)
                coroutine.close()
            del coroutine
            receiving = await started(receive_when_free(there))
            there.peer.send(b"on")
            assert await receiving == b"on"

    run(main)


# --- ends and errors ---


@pytest.mark.parametrize("how", HOWS)
def test_connection_that_is_reset_is_an_error(run: Callable[..., Any], listener: socket.socket, how: str) -> None:
    async def main() -> None:
        expected: Any = ConnectionResetError
        if isinstance(here := current(), Structured):
            expected = here.library.BrokenResourceError
        async with await connect(listener) as there:
            task = await started(t.copy(there.source, there.sink, how=how))
            there.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            there.peer.close()
            error = await ended(task)
            assert isinstance(error, expected)

    run(main)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("made", range(3))
def test_each_kind_of_stream_is_read_written_and_closed(
    run: Callable[..., Any], with_anyio: None, made: int, how: str
) -> None:
    async def main() -> None:
        source, sink = (
            SOURCES[made](b"one", bytearray(b"two"), memoryview(b"three")),
            SINKS[made](),
        )
        await t.copy(source, sink, size=100_000, how=how)
        assert b"".join(sink.got) == b"onetwothree"
        assert sink.closed == 1
        assert source.asked == [65536] * 4
        source = SOURCES[made](b"x" * 10)  # more than the read wants
        await t.copy(source, sink := SINKS[made](), size=3, how=how, closes=False)
        assert sink.got == [b"xxx", b"xxx", b"xxx", b"x"]
        assert sink.closed == 0
        assert source.asked == [3, 3]

    run(main)


@pytest.mark.parametrize("how", ["here", "posted", "pool", "scope"])
@pytest.mark.parametrize("made", range(3))
def test_exception_of_a_stream_is_raised_as_it_is(
    run: Callable[..., Any], with_anyio: None, made: int, how: str
) -> None:
    async def main() -> None:
        error = Trouble("mine")
        with pytest.raises(Trouble) as caught:
            await t.copy(SOURCES[made](b"one", error), SINKS[made](), how=how)
        assert caught.value is error
        with pytest.raises(Trouble) as caught:
            await t.copy(SOURCES[made](b"one"), SINKS[made](error), how=how)
        assert caught.value is error

    run(main)


@pytest.mark.parametrize("copy", [t.copy, t.copy_nogil])
@pytest.mark.parametrize("how", ["here", "posted", "pool", "scope"])
def test_what_is_no_bytes_and_what_cannot_be_awaited_are_type_errors(
    run: Callable[..., Any], copy: Callable[..., Any], how: str
) -> None:
    class Bad:
        def read(self, n: int) -> Any:
            return value() if callable(value) else value

    def refused() -> None:
        raise Trouble("at the call")

    async def main() -> None:
        for text in ("text", 5, None):
            with pytest.raises(TypeError):
                await copy(AsyncioSource(text), TrioSink(), how=how)
        nonlocal value
        value = refused
        with pytest.raises(Trouble):
            await copy(Bad(), TrioSink(), how=how)
        if how == "here":  # a call may return a value at once
            value = b"at once"
            with pytest.raises(TypeError, match="can't be used in 'await'"):
                await copy(Bad(), TrioSink(), how=how)

    value: Any = None
    run(main)


@pytest.mark.parametrize("how", ["here", "posted"])
def test_what_is_no_stream_is_a_type_error_at_once(run: Callable[..., Any], how: str) -> None:
    class HalfSink:
        def write(self, data: bytes) -> None:
            raise AssertionError

    async def main() -> None:
        for bad in (None, "text", object(), TrioSink()):
            with pytest.raises(TypeError, match="is no stream to read"):
                t.copy(bad, TrioSink(), how=how)
        for bad in (None, object(), TrioSource(), HalfSink()):
            with pytest.raises(TypeError, match="is no stream to write"):
                t.copy(TrioSource(), bad, how=how)
        for how_ in ("here", "posted", "scope"):
            with pytest.raises(OSError, match="Invalid argument"):
                await t.copy(TrioSource(), TrioSink(), size=0, how=how_)

    run(main)


def test_reader_without_locals_has_no_use_where_there_are_none(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="no reactor"):
            await t.wrong_place(TrioSource(b"x"))

    run(main)


@pytest.mark.parametrize("made", range(3))
def test_streams_may_move_from_the_coroutine_to_another_place(
    run: Callable[..., Any], with_anyio: None, made: int
) -> None:
    async def main() -> None:
        await t.copy(SOURCES[made](b"one", b"two", b"three"), sink := SINKS[made](), how="moved")
        assert (sink.got, sink.closed) == ([b"one", b"two", b"three"], 1)
        source = SOURCES[made](b"12345")
        with pytest.raises(OSError, match="Invalid argument"):  # while bytes are left that were not taken
            await t.copy(source, sink := SINKS[made](), size=3, how="moved")
        assert (sink.got, sink.closed) == ([b"123"], 0)

    run(main)


def test_cancellation_reaches_the_stream_itself(run: Callable[..., Any]) -> None:
    async def main() -> None:
        begun: list[int] = []
        seen: list[type[BaseException]] = []

        class Slow:
            async def receive_some(self, n: int) -> bytes:
                begun.append(n)
                try:
                    await sleep(60)
                except BaseException as error:
                    seen.append(type(error))
                    raise
                raise AssertionError

        for how in ("here", "posted", "pool", "scope"):
            task = spawn(t.copy(Slow(), TrioSink(), how=how))
            await until(lambda: begun)
            begun.clear()
            await cancelled(task)
            await until(lambda: seen)
            assert seen.pop() is cancellation()

    run(main)
