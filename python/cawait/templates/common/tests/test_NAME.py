"""On asyncio and on trio, by anyio's plugin for pytest."""

import zlib
from pathlib import Path

import anyio
import pytest

import NAME

pytestmark = pytest.mark.anyio
DATA = bytes(range(256)) * 1000


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a file"
    path.write_bytes(DATA)
    return path


async def test_checksum_is_that_of_zlib(file):
    assert await NAME.checksum(file) == zlib.adler32(DATA)


async def test_checksum_of_no_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        await NAME.checksum(tmp_path / "nothing")


async def test_many_at_once(file):
    sums = []

    async def one():
        sums.append(await NAME.checksum(file))

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(one)
    assert sums == [zlib.adler32(DATA)] * 100


async def test_chunks_are_the_file(file):
    chunks = [chunk async for chunk in NAME.chunks(file, size=1000)]
    assert b"".join(chunks) == DATA and len(chunks) == 256


async def test_chunks_of_no_file_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        async for _ in NAME.chunks(tmp_path / "nothing"):
            pass


async def test_iteration_that_stops_early_leaves_nothing(file):
    async for chunk in NAME.chunks(file, size=1):
        assert chunk == DATA[:1]
        break


async def test_file_has_settled_when_it_stays_the_same(file):
    assert await NAME.settled(file, 0.01) == zlib.adler32(DATA)


async def test_wait_is_cancelled(file):
    with anyio.move_on_after(0.1) as scope:
        await NAME.settled(file, 3600)
    assert scope.cancelled_caught
