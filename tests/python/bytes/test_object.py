"""A C source and sink of bytes as a Python stream, with the methods of asyncio, trio and anyio."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import inspect
import os
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

import _cawait_test as t
from support.common import cancelled, ended, settle, sleep, spawn, started, turn
from support.streams import Peer, TrioSink, TrioSource, much


class Ends:
    """A stream over a socket, or over the end of a pipe, and the other socket."""

    def __init__(self) -> None:
        self.mine, self.peer = socket.socketpair()
        self.mine.setblocking(False)
        self.fd = self.mine.fileno()
        self.stream = t.byte_stream(self.fd, self.fd)


@pytest.fixture
def ends() -> Iterator[Ends]:
    one = Ends()
    yield one
    del one.stream
    one.mine.close()
    one.peer.close()


@pytest.mark.usefixtures("with_anyio")
def test_reads_of_all_three_faces_give_what_is_there_and_the_end(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        stream = ends.stream
        ends.peer.send(b"abcdefghij")
        assert await stream.read(2) == b"ab"
        assert await stream.receive_some(2) == b"cd"
        assert await stream.receive_some(max_bytes=1) == b"e"
        assert await stream.receive(1) == b"f"
        assert await stream.read(0) == b""
        assert await stream.receive_some() == b"ghij"
        task = await started(stream.receive())
        ends.peer.send(b"k")
        assert await task == b"k"
        task = await started(stream.read())
        ends.peer.send(b"l" * 10)
        await settle()
        assert not task.done()
        ends.peer.close()
        assert await task == b"l" * 10
        for end in (
            stream.read(),
            stream.read(5),
            stream.receive_some(),
            stream.receive_some(None),
        ):
            assert await end == b""
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()

    run(main)


def test_arguments_that_make_no_sense_are_errors_at_once(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        stream = ends.stream
        for bad in (0, -1):
            with pytest.raises(ValueError, match="at least 1"):
                stream.receive_some(bad)
            with pytest.raises(ValueError, match="at least 1"):
                stream.receive(bad)
        for call in (
            stream.read,
            stream.receive,
            stream.send_all,
            stream.send,
            stream.write,
        ):
            with pytest.raises(TypeError):
                call("text")
        with pytest.raises(TypeError):
            stream.read(None)
        with pytest.raises(TypeError):
            type(stream)()
        ends.peer.send(b"x")
        assert await stream.receive_some(1 << 100) == b"x"

    run(main)


def test_much_goes_both_ways_at_once(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        peer = Peer(ends.peer, data := much())
        reading = spawn(ends.stream.read())
        await ends.stream.send_all(memoryview(data))
        await ends.stream.send_eof()
        got = await reading
        peer.join()
        assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
        assert hashlib.sha256(peer.got).digest() == hashlib.sha256(data).digest()

    run(main)


def test_writer_waits_while_the_other_end_does_not_read(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        data = bytearray(much(3_000_000))
        for send in (ends.stream.send_all, ends.stream.send, None):
            if send:
                task = spawn(send(data))
            else:
                ends.stream.write(data)
                task = spawn(ends.stream.drain())
            await sleep(0.02)
            assert not task.done()
            if send:
                with pytest.raises(BufferError):
                    data.append(1)  # the buffer is held, not copied
            got = await take(ends.peer, len(data))
            await task
            assert got == data
        data.append(1)

    run(main)


async def take(peer: socket.socket, length: int) -> bytes:
    peer.setblocking(False)
    got = bytearray()
    while len(got) < length:
        try:
            got += peer.recv(1 << 20)
        except BlockingIOError:
            await turn()
    return bytes(got)


def test_write_keeps_and_drain_writes(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        stream = ends.stream
        await stream.drain()
        stream.write(b"a")
        stream.write(bytearray(b"b"))
        await settle()
        with pytest.raises(BlockingIOError):
            ends.peer.recv(100, socket.MSG_DONTWAIT)
        await stream.drain()
        assert ends.peer.recv(100) == b"ab"
        stream.write(b"c")
        await stream.send_all(b"d")
        assert ends.peer.recv(100) == b"cd"
        stream.write(b"e")
        await stream.send(b"")
        await stream.wait_send_all_might_not_block()
        assert ends.peer.recv(100) == b"e"
        stream.write(b"f")
        stream.close()
        assert stream.is_closing()
        await stream.wait_closed()
        assert ends.peer.recv(100) == b"f"
        assert ends.peer.recv(100) == b""

    run(main)


def test_drain_that_is_cancelled_keeps_the_rest(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        data = much(3_000_000)
        ends.stream.write(data)
        task = spawn(ends.stream.drain())
        await sleep(0.01)
        ends.stream.write(b"later")
        await cancelled(task)
        task = spawn(ends.stream.drain())
        assert await take(ends.peer, len(data) + 5) == data + b"later"
        await task

    run(main)


def test_second_read_and_second_write_are_errors(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        stream = ends.stream
        reading = await started(stream.receive_some())
        for second in (
            stream.read(),
            stream.read(3),
            stream.receive(),
            stream.receive_some(),
        ):
            with pytest.raises(RuntimeError, match="another coroutine is already waiting for bytes"):
                await second
        writing = spawn(stream.send_all(bytes(3_000_000)))
        await sleep(0.02)
        for second in (stream.send_all(b"x"), stream.drain(), stream.send_eof()):
            with pytest.raises(RuntimeError, match="another coroutine is already writing"):
                await second
        ends.peer.send(b"x")
        assert await reading == b"x"
        await take(ends.peer, 3_000_000)
        await writing

    run(main)


def test_read_that_is_cancelled_loses_nothing(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        stream = ends.stream
        await cancelled(await started(stream.receive_some()))
        ends.peer.send(b"1")
        assert await stream.receive_some() == b"1"
        ends.peer.send(b"23456")
        task = await started(stream.read())  # it has the bytes already
        await cancelled(task)
        ends.peer.send(b"78")
        assert await stream.receive_some(2) == b"23"
        assert await stream.read(2) == b"45"
        task = await started(stream.read())
        ends.peer.shutdown(socket.SHUT_WR)
        assert await task == b"678"
        task = spawn(stream.read())
        task.cancel()  # before it begins
        await ended(task)

    run(main)


def test_bytes_that_come_with_the_cancel_are_kept(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        for i in range(50):
            task = await started(ends.stream.receive_some())
            ends.peer.send(b"%d" % (i % 10))
            if i % 2:
                await turn()
            task.cancel()
            outcome = await ended(task)
            if outcome == "cancelled":
                outcome = await ends.stream.receive_some()
            assert outcome == b"%d" % (i % 10)

    run(main)


# --- the end ---


def test_what_comes_after_the_end_is_a_clear_error(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        stream = ends.stream
        assert not stream.is_closing()
        async with stream as same:
            assert same is stream
            stream.write(b"last")
        assert stream.is_closing()
        assert ends.peer.recv(100) == b"last"
        assert ends.peer.recv(100) == b""
        for late in (
            stream.read(),
            stream.receive_some(),
            stream.receive(),
            stream.send_all(b"x"),
            stream.drain(),
        ):
            with pytest.raises(RuntimeError, match="the stream is closed"):
                await late
        with pytest.raises(RuntimeError, match="the stream is closed"):
            stream.write(b"x")
        await stream.aclose()
        await stream.wait_closed()

    run(main)


def test_stream_that_is_closed_beside_a_read_and_a_write_ends_both(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        reading = await started(ends.stream.receive_some())
        writing = spawn(ends.stream.send_all(bytes(3_000_000)))
        await sleep(0.02)
        await ends.stream.aclose()
        for task in (reading, writing):
            error = await ended(task)
            assert isinstance(error, RuntimeError)
            assert str(error) == "the stream is closed"

    run(main)


def test_half_that_is_not_there_and_half_that_is_closed_are_errors(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        only_reads, only_writes = (
            t.byte_stream(ends.fd, None),
            t.byte_stream(None, ends.fd),
        )
        with pytest.raises(RuntimeError, match="nothing to write to"):
            await only_reads.send_all(b"x")
        with pytest.raises(RuntimeError, match="nothing to read from"):
            await only_writes.receive_some()
        await ends.stream.send_eof()
        assert ends.peer.recv(100) == b""
        for late in (
            ends.stream.send_all(b"x"),
            ends.stream.drain(),
            ends.stream.send_eof(),
        ):
            with pytest.raises(RuntimeError, match=r"after send_eof\(\)"):
                await late
        ends.peer.send(b"still")
        assert await ends.stream.receive_some() == b"still"
        await only_reads.aclose()
        await only_writes.aclose()

    run(main)


def test_errors_of_the_fd_are_os_errors(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        ends.peer.close()
        with pytest.raises(BrokenPipeError):
            await ends.stream.send_all(b"x")
        bad = t.byte_stream(1 << 20, 1 << 20)
        with pytest.raises(OSError, match="file descriptor"):
            await bad.read()
        with pytest.raises(OSError, match="file descriptor"):
            await bad.aclose()
        with pytest.raises(RuntimeError, match="the stream is closed"):
            await bad.read()

    run(main)


def test_close_that_is_cancelled_closes(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        ends.stream.write(bytes(3_000_000))
        task = await started(ends.stream.aclose())
        await cancelled(task)
        with pytest.raises(RuntimeError, match="the stream is closed"):
            await ends.stream.receive_some()

    run(main)


def test_stream_that_is_dropped_gives_everything_back(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        stream = t.byte_stream(ends.fd, ends.fd)
        watch = weakref.ref(stream)
        task = await started(stream.read())
        del stream
        await settle()
        assert watch()
        await cancelled(task)
        del task
        gc.collect()
        assert watch() is None
        never = t.byte_stream(ends.fd, ends.fd)
        with pytest.warns(RuntimeWarning, match=r"byte_stream\.read' was never awaited"):
            never.read()
            gc.collect()

    run(main)


# --- used by other libraries ---


def test_stream_of_python_behind_a_stream_of_c_is_passed_through(
    run: Callable[..., Any],
) -> None:
    async def main() -> None:
        sink = TrioSink()
        stream = t.byte_stream(TrioSource(b"one", b"two"), sink)
        assert await stream.receive_some() == b"one"
        assert await stream.read() == b"two"
        await stream.send_all(b"x" * 100_000)
        stream.write(b"y")
        await stream.aclose()
        assert b"".join(sink.got) == b"x" * 100_000 + b"y"
        assert sink.closed == 1

    run(main)


def test_c_copies_from_and_to_its_own_streams(run: Callable[..., Any], ends: Ends) -> None:
    async def main() -> None:
        for how in ("here", "posted", "pool"):
            one = Ends()
            peer = Peer(one.peer, data := much(300_000))
            await t.copy(one.stream, one.stream, how=how)
            peer.join()
            assert peer.got == data
            one.peer.close()
            one.mine.close()

    run(main)


def test_pipes_are_streams_too(run: Callable[..., Any]) -> None:
    async def main() -> None:
        reading, writing = os.pipe()  # blocking
        one, two = t.byte_stream(reading, None), t.byte_stream(None, writing)
        task = spawn(one.read())
        await two.send_all(data := much(300_000))
        await two.aclose()
        os.close(writing)
        assert await task == data
        os.close(reading)

    run(main)


def test_methods_are_async_functions_with_signatures(ends: Ends) -> None:
    for name, signature in {
        "read": "(n=-1)",
        "receive_some": "(max_bytes=None)",
        "send_all": "(data, /)",
        "aclose": "()",
    }.items():
        method = getattr(ends.stream, name)
        assert inspect.iscoroutinefunction(method)
        assert str(inspect.signature(method)) == signature
    coroutine = ends.stream.drain()
    assert asyncio.iscoroutine(coroutine)
    coroutine.close()
    assert type(ends.stream).__module__ == "cawait"
