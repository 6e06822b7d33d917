"""The example fetch_heads, with a real nginx: limits of connections and of time, cancels at each point, no Python."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from support.children import programs
from support.common import cancelled, settle, spawn, until
from support.nginx import NGINX, nginx
from support.points import cancelled_after_turns, cancelled_at_each_point

fetch_heads = pytest.importorskip("fetch_heads", reason="the examples are not built").fetch_heads
Run = Callable[..., Any]
PROGRAM = programs.find_program("fetch_heads_in_c")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx on this machine")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nginx(tmp_path_factory.mktemp("nginx")) as url:
        yield url


@contextmanager
def silent() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listens:
        yield f"http://127.0.0.1:{listens.getsockname()[1]}/"


@contextmanager
def served_once(answer: bytes, requests: list[bytes]) -> Iterator[str]:
    """A server that answers one request, and notes it."""

    def serve(listens: socket.socket) -> None:
        with listens.accept()[0] as connection:
            requests.append(connection.recv(1000))
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listens:
        listens.settimeout(30)  # where nobody comes
        thread = threading.Thread(target=serve, args=(listens,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listens.getsockname()[1]}/"
        finally:
            thread.join()


@needs_nginx
def test_heads_are_those_of_nginx(run: Run, web: str) -> None:
    async def main() -> None:
        urls = [f"{web}/file", f"{web}/none?a=b", f"{web}/old", web]
        heads = await fetch_heads(urls * 50)
        assert [code for code, _ in heads] == [200, 404, 301, 403] * 50
        first = heads[0][1].splitlines()
        assert first[0] == "HTTP/1.1 200 OK" and "Content-Length: 1000" in first and first[-1]
        assert f"Location: {web}/file" in heads[2][1]
        assert await fetch_heads([]) == []

    run(main)


def test_no_more_connections_than_the_limit_at_a_time(run: Run) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listens:
            listens.setblocking(False)
            connections: list[socket.socket] = []

            def come(n: int) -> bool:
                with contextlib.suppress(BlockingIOError):
                    connections.append(listens.accept()[0])
                return len(connections) == n

            task = spawn(fetch_heads([f"http://127.0.0.1:{listens.getsockname()[1]}/"] * 20, limit=5))
            await until(lambda: come(5))
            await settle(50)
            assert come(5)
            connections.pop(2).close()
            await until(lambda: come(5))  # the next one has its turn
            await cancelled(task)
            for one in connections:
                one.close()

    run(main)


@needs_nginx
def test_what_fails_does_so_alone(run: Run, web: str) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as refusing:
            refused = f"http://127.0.0.1:{refusing.getsockname()[1]}/"
        heads = await fetch_heads([refused, "http://no..host/", "ftp://127.0.0.1/", f"{web}/file"])
        assert heads[0] == (0, "Connection refused")
        assert heads[1][0] == 0 and "name" in heads[1][1].lower()  # no server of names is asked for this one
        assert heads[2] == (0, "invalid argument")
        assert heads[3][0] == 200

    run(main)


def test_url_that_is_none_is_refused(run: Run) -> None:
    hosts = ("", ":80", "a b", "a\t", "a\x7f", "a:0", "a:65536", "a:67536", "a:-1", "a:http", "a:8 ", "a:1:2", "[::1]")

    async def main() -> None:
        urls = [f"http://{host}{path}" for host in hosts for path in ("", "/", "?a")]
        assert set(await fetch_heads(urls)) == {(0, "invalid argument")}

    run(main)


def test_request_has_the_path_without_the_fragment(run: Run) -> None:
    requests: list[bytes] = []

    async def main() -> None:
        for path in ("/a?b#c", "#/c", "?b#c"):
            with served_once(b"HTTP/1.1 204 \r\n\r\n", requests) as url:
                assert await fetch_heads([url.rstrip("/") + path]) == [(204, "HTTP/1.1 204 ")]
        assert [one.split(b" ")[1] for one in requests] == [b"/a?b", b"/", b"/?b"]

    run(main)


@contextmanager
def no_more_fds() -> Iterator[None]:
    """All are taken that this process may have. The limit stays above what is open, since poll() looks at it too."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_reason_is_that_of_the_socket_that_cannot_be_made(run: Run) -> None:
    async def main() -> None:
        with silent() as url:
            await fetch_heads([url], timeout=0.01)  # what the loop and the pool need is there
            with no_more_fds():
                assert await fetch_heads([url]) == [(0, "Too many open files")]

    run(main)


def test_time_limits_are_for_each_and_for_all(run: Run) -> None:
    async def main() -> None:
        with silent() as url:
            assert await fetch_heads([url] * 3, limit=2, timeout=0.05) == [(0, "timed out")] * 3
            with pytest.raises(TimeoutError):
                await fetch_heads([url], total=0.01)
        for wrong in (-1.0, float("nan"), 1e10):
            with pytest.raises(ValueError):
                fetch_heads([], timeout=wrong)
        for urls in (3, [3], ["\ud800"], ["http://127.0.0.1/\0"]):
            with pytest.raises((TypeError, ValueError)):
                fetch_heads(urls)
        for limit in (-1, 2**63):
            with pytest.raises((OverflowError, ValueError)):
                fetch_heads([], limit=limit)

    run(main)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"", "Broken pipe"), (b"x" * 5000, "Message too long"), (b"SMTP\r\n\r\n", "Bad message")]
    + [(b"HTTP/1.1 %s\r\n\r\n" % code, "Bad message") for code in (b"-5", b"20", b"000", b"4294967496", b"+20", b"")],
    ids=["nothing", "too-long", "other", "negative", "short", "zero", "long", "sign", "none"],
)
def test_answer_that_is_no_head_is_an_error(run: Run, answer: bytes, reason: str) -> None:
    async def main() -> None:
        with served_once(answer, []) as url:
            assert await fetch_heads([url]) == [(0, reason)]

    run(main)


@needs_nginx
@pytest.mark.parametrize("each", [cancelled_at_each_point, cancelled_after_turns])
def test_fetch_that_is_cancelled_anywhere_closes_all(run: Run, web: str, each: Any) -> None:
    async def main() -> None:
        async def check() -> None:
            assert [code for code, _ in await fetch_heads([f"{web}/file"])] == [200]

        async def few() -> list[Any]:
            return await fetch_heads([f"{web}/file"] * 3, limit=2)

        await each(few, check)  # the end of the test looks for open sockets

    run(main)


@needs_nginx
@programs.needs(PROGRAM)
def test_program_has_no_python_in_it(web: str) -> None:
    done = programs.run_plain(PROGRAM, f"{web}/file", f"{web}/none", "nothing")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"200 {web}/file\n404 {web}/none\n  0 nothing: invalid argument\n"
    libraries = subprocess.run(["ldd", str(PROGRAM)], capture_output=True, text=True).stdout
    assert "libc.so" in libraries and "python" not in libraries
