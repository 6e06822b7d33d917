"""The examples in Cython: their demos, and what a user would do with them on every framework."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import inspect
import os
import sys
import time
import zlib
from pathlib import Path
from types import ModuleType

import pytest
from cython_builds import EXAMPLES, ROOT, Run, cancelled, gather, run

MANY = 10_000


def is_open(path: Path) -> bool:
    """Whether this process has the file open."""
    with contextlib.suppress(OSError):  # one that is closed meanwhile
        return any(Path(fd).exists() and os.readlink(fd) == str(path) for fd in Path("/proc/self/fd").iterdir())
    return True


@pytest.mark.parametrize("name", EXAMPLES)
def test_demo_of_the_example_succeeds_in_development_mode(built: dict[str, Path], name: str) -> None:
    run([sys.executable, "-X", "dev", "-W", "error", "demo.py"], cwd=built[name])


def test_library_with_a_thread_of_its_own_takes_at_most_40_lines() -> None:
    lines = (ROOT / "examples" / "cython_callback" / "thermometer.pyx").read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.strip().startswith("#")]) <= 40


def test_function_of_a_table_is_an_async_function(thermometer: ModuleType) -> None:
    assert inspect.iscoroutinefunction(thermometer.temperature)
    assert str(inspect.signature(thermometer.temperature)) == "(channel, /)"
    assert "Celsius" in (inspect.getdoc(thermometer.temperature) or "")


def test_ten_thousand_callbacks_of_a_library_each_give_their_value(
    thermometer: ModuleType, framework: str, go: Run
) -> None:
    functions = [lambda channel=i % 8: thermometer.temperature(channel) for i in range(MANY)]
    assert go(gather, framework, functions) == [20 + (i % 8) / 2 for i in range(MANY)]


def test_error_of_a_callback_is_an_os_error(thermometer: ModuleType, go: Run) -> None:
    with pytest.raises(OSError, match="No such device"):
        go(thermometer.temperature, 8)


@pytest.mark.parametrize("argument", ["one", None, 1 << 40])
def test_wrong_argument_raises_before_anything_begins(thermometer: ModuleType, argument: object) -> None:
    with pytest.raises((TypeError, OverflowError)):
        thermometer.temperature(argument)


def test_cancelled_callbacks_leave_nothing_behind(thermometer: ModuleType, framework: str, go: Run) -> None:
    async def cancel_many() -> None:
        if framework == "trio":
            import trio

            with trio.CancelScope() as scope:
                scope.cancel()
                await gather(framework, [lambda: thermometer.temperature(1)] * 1000)
            return
        tasks = [asyncio.ensure_future(thermometer.temperature(1)) for _ in range(1000)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    go(cancel_many)
    go(thermometer.temperature, 1)


def test_buffers_are_compressed_and_decompressed_as_zlib_does(
    zlib_threads: ModuleType, framework: str, go: Run
) -> None:
    data = [bytes([i % 256]) * (i * 10) for i in range(1000)]
    packed = go(gather, framework, [lambda one=one: zlib_threads.compress(one) for one in data])
    assert [zlib.decompress(one) for one in packed] == data
    pairs = zip(packed, data, strict=True)
    functions = [lambda one=one, size=len(plain): zlib_threads.decompress(one, size) for one, plain in pairs]
    assert go(gather, framework, functions) == data


def test_error_of_zlib_is_an_exception_of_the_module(zlib_threads: ModuleType, go: Run) -> None:
    with pytest.raises(zlib_threads.ZlibError, match="data error"):
        go(zlib_threads.decompress, b"not what zlib makes", 100)
    with pytest.raises(zlib_threads.ZlibError, match="buffer error"):
        go(zlib_threads.decompress, zlib.compress(bytes(1000)), 10)
    with pytest.raises(TypeError, match="level"):
        zlib_threads.compress(b"", levels=1)
    with pytest.raises(TypeError, match="bytes-like"):
        zlib_threads.compress("text")


def test_buffer_is_exported_while_the_worker_has_it_and_no_longer(zlib_threads: ModuleType, go: Run) -> None:
    data = bytearray(5_000_000)
    coroutine = zlib_threads.compress(data)
    with pytest.raises(BufferError):
        data.append(1)

    async def wait() -> bytes:
        return bytes(await coroutine)

    assert zlib.decompress(go(wait)) == bytes(5_000_000)
    data.append(1)


def test_worker_goes_on_with_its_buffer_when_the_awaiter_is_cancelled(
    zlib_threads: ModuleType, framework: str, go: Run
) -> None:
    data = bytearray(os.urandom(3_000_000))
    go(cancelled, framework, lambda: zlib_threads.compress(data, 9))  # it may have been faster, so nothing is asserted
    go(zlib_threads.compress, b"")


def test_file_is_a_stream_of_compressed_chunks(zlib_threads: ModuleType, tmp_path: Path, go: Run) -> None:
    path = tmp_path / "data"
    for size in (0, 1, 65_536, 65_537, 3_000_000):
        path.write_bytes(os.urandom(size))

        async def pack() -> list[bytes]:
            return [chunk async for chunk in zlib_threads.gzip_file(path, level=1)]

        chunks = go(pack)
        assert gzip.decompress(b"".join(chunks)) == path.read_bytes()
        assert max(map(len, chunks)) <= 65_536


def test_stream_ends_with_the_error_of_its_worker(zlib_threads: ModuleType, tmp_path: Path, go: Run) -> None:
    async def pack(path: Path) -> None:
        async for _ in zlib_threads.gzip_file(path):
            pass

    with pytest.raises(FileNotFoundError):
        go(pack, tmp_path / "nothing")
    with pytest.raises(OSError):
        go(pack, tmp_path)
    with pytest.raises(ValueError, match="level"):
        zlib_threads.gzip_file(tmp_path, level=10)


def test_iteration_that_stops_early_stops_the_worker(zlib_threads: ModuleType, go: Run) -> None:
    endless = Path("/dev/urandom")

    async def first() -> bytes:
        async with contextlib.aclosing(zlib_threads.gzip_file(endless)) as chunks:
            return bytes(await anext(chunks))

    for _ in range(20):
        assert 0 < len(go(first)) <= 65_536
        deadline = time.monotonic() + 20
        while is_open(endless):  # for as long as a worker reads it
            assert time.monotonic() < deadline
            time.sleep(0.001)
