"""The example echo: its server and its client on a loop of Python, cancelled at each point; and without Python."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support.children import programs
from support.common import cancelled, ended, results, spawn, started
from support.points import cancelled_after_turns, cancelled_at_each_point

echo = pytest.importorskip("echo", reason="the examples are not built")
Run = Callable[..., Any]
PROGRAM = programs.find_program("echo_in_c")


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listens:
        listens.setblocking(False)
        yield listens


def port_of(listens: socket.socket) -> int:
    return listens.getsockname()[1]


def test_load_is_served(run: Run) -> None:
    async def main() -> None:
        with listening() as listens:
            server = await started(echo.serve(listens))
            seconds, p50, p99 = await echo.load(port_of(listens), connections=100, requests=5)
            assert 0 < p50 <= p99 <= seconds * 1e6
            loads = [spawn(echo.load(port_of(listens), 3, 20)) for _ in range(5)]
            assert len(await results(loads)) == 5
            await cancelled(server)

    run(main)


def test_errors_are_raised(run: Run) -> None:
    async def main() -> None:
        with listening() as listens:
            port = port_of(listens)
        with pytest.raises(ConnectionRefusedError):
            await echo.load(port)
        for wrong in (lambda: echo.load(70_000), lambda: echo.load("80"), lambda: echo.serve(None)):
            with pytest.raises((OverflowError, TypeError)):
                wrong()
        for number in (0, -1, 2**63):
            with pytest.raises((OverflowError, ValueError)):
                echo.load(port, number)
            with pytest.raises((OverflowError, ValueError)):
                echo.load(port, 1, number)
        with socket.create_server(("127.0.0.1", 0)) as blocking:
            blocking.setblocking(True)
            with pytest.raises(OSError, match="Invalid argument"):
                await echo.serve(blocking)

    run(main)


@pytest.mark.parametrize("each", [cancelled_at_each_point, cancelled_after_turns])
def test_client_that_is_cancelled_anywhere_leaves_a_server_that_works(run: Run, each: Any) -> None:
    async def main() -> None:
        with listening() as listens:
            server = await started(echo.serve(listens))

            async def check() -> None:
                await echo.load(port_of(listens), 1, 1)

            await each(lambda: echo.load(port_of(listens), 2, 3), check)
            await cancelled(server)

    run(main)


def test_server_that_is_cancelled_anywhere_closes_its_connections(run: Run) -> None:
    async def main() -> None:
        for point in range(12):
            with listening() as listens:
                server = spawn(echo.serve(listens))
                loads = [spawn(echo.load(port_of(listens), 3, 100_000)) for _ in range(2)]
                await echo.load(port_of(listens), 1, 1 + point)
                await cancelled(server)
            for load in loads:  # at their next request; the end of the test looks for open sockets
                assert isinstance(await ended(load), OSError | RuntimeError)

    run(main)


@programs.needs(PROGRAM)
def test_program_has_no_python_in_it() -> None:
    done = programs.run_plain(PROGRAM, "20", "50")
    assert done.returncode == 0 and done.stderr == ""
    assert re.fullmatch(r"\d+ requests/s, p50 \d+ us, p99 \d+ us\n", done.stdout)
    libraries = subprocess.run(["ldd", str(PROGRAM)], capture_output=True, text=True).stdout
    assert "libc.so" in libraries and "python" not in libraries
    assert programs.run_plain(PROGRAM, "0").returncode == 1
