"""The examples, run as a user would run them: each script in a process of its own.

Nothing is built here: the modules are on PYTHONPATH when Meson's option `examples` is on.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.children import HANG_SECONDS, interrupt, programs

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
ESCAPE = "\x1b"
DEBUG = ("PYTHONDEVMODE", "PYTHONASYNCIODEBUG")
QUICK = ("--seconds", "0.1", "--rounds", "1")


def needs(module: str) -> pytest.MarkDecorator:
    """Skip where the module was not built."""
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"the module {module} is not built")


def environment(**changes: str) -> dict[str, str]:
    """The environment of this process, without the variables for rich's output and for asyncio's debug mode."""
    left_out = ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "TREE", *DEBUG)
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PYTHONIOENCODING": "utf-8", **changes}


def run(script: str, *args: str | Path, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the examples, with its output in a pipe, and check its exit code."""
    command = [sys.executable, str(EXAMPLES / script), *map(str, args)]
    done = subprocess.run(command, env=environment(**env), capture_output=True, encoding="utf-8", timeout=HANG_SECONDS)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "never awaited" not in done.stderr
    return done


# --- futures ---


@needs("callback_library")
def test_callback_library_reads_a_file_in_pieces(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(200_000))
    lines = run("callback_library/demo.py", file).stdout.splitlines()
    assert lines == ["read 200000 bytes in 4 pieces, equal to the file", "cancelled 100 reads in flight"]


@needs("callback_library")
def test_callback_library_reads_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert "read 0 bytes in 0 pieces" in run("callback_library/demo.py", tmp_path / "empty").stdout


@needs("callback_library")
def test_callback_library_without_the_file_says_so(tmp_path: Path) -> None:
    assert "No such file" in run("callback_library/demo.py", tmp_path / "none", code=1).stderr


@needs("blocking_call")
def test_blocking_call_looks_users_up() -> None:
    me = pwd.getpwuid(0)
    lines = run("blocking_call/demo.py", me.pw_name, "no-such-user").stdout.splitlines()
    assert lines == [
        f"{me.pw_name}: uid 0, home {me.pw_dir}, shell {me.pw_shell}",
        "no-such-user: user not found: 'no-such-user'",
    ]
    assert run("blocking_call/demo.py", me.pw_name).stdout == f"0 {me.pw_dir} {me.pw_shell}\n"  # without a loop


@needs("fd_and_timer")
def test_fd_and_timer_waits_for_each() -> None:
    assert run("fd_and_timer/demo.py").stdout.splitlines() == [
        "slept for 20 ms, and at least as long: True",
        "received b'hello'",
        "one exited with 3, the other was ended by SIGKILL",
    ]


# --- streams ---


@needs("file_lines")
def test_file_lines_are_those_that_python_reads(tmp_path: Path) -> None:
    file = tmp_path / "file"
    text = "".join(f"{'word ' * (number % 20)}{number}\r\n" for number in range(50_000))
    file.write_bytes(text.encode() + b"\xff no UTF-8, \0, and no end of the line")
    assert run("file_lines/demo.py", file).stdout.splitlines() == [
        f"50001 lines, {len(text.split()) + 10} words",
        "equal to what Python reads",
        f"the first long line is number {next(n for n, line in enumerate(text.splitlines(True), 1) if len(line) > 60)}",
    ]


@needs("file_lines")
def test_file_lines_of_the_standard_library() -> None:
    assert "equal to what Python reads" in run("file_lines/demo.py").stdout


@needs("file_lines")
def test_file_lines_of_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert run("file_lines/demo.py", tmp_path / "empty").stdout.splitlines()[0] == "0 lines, 0 words"


@needs("file_lines")
@pytest.mark.parametrize(("name", "reason"), [("none", "No such file"), ("", "Is a directory")])
def test_file_lines_of_what_is_no_file_says_so(tmp_path: Path, name: str, reason: str) -> None:
    assert reason in run("file_lines/demo.py", tmp_path / name, code=1).stderr


@needs("event_source")
def test_event_source_walks_four_folders_and_stops_early() -> None:
    lines = run("event_source/demo.py").stdout.splitlines()
    assert lines[0].endswith("equal to what os.walk finds")
    assert lines[1:] == [lines[1], "native threads left: 0"] and ".py' and stopped" in lines[1]


@needs("receive")
def test_receive_loses_no_message_by_time_limits() -> None:
    lines = run("receive/demo.py").stdout.splitlines()
    assert lines == ["100 messages, each once and in order, between time-outs"]


@needs("three_steps")
def test_three_steps_give_the_sum_and_raise_where_no_bytes_come() -> None:
    waits, *lines = run("three_steps/demo.py").stdout.splitlines()
    assert waits.startswith("three_steps.c:")
    assert lines == ["4950", "nothing came", "Bad file descriptor", "0"]


@needs("echo")
def test_echo_puts_the_same_load_on_both_servers() -> None:
    lines = run("echo/demo.py", "10", "20").stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["server in C", "server in Python"]
    assert all("requests/s, p50 " in line for line in lines)


@needs("fetch_heads")
def test_fetch_heads_prints_what_has_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as refusing:
        url = f"http://127.0.0.1:{refusing.getsockname()[1]}/"
    lines = run("fetch_heads/demo.py", url, "ftp://there").stdout.splitlines()
    assert lines == [f"{url}: Connection refused", "ftp://there: invalid argument"]


@needs("connection_pool")
def test_connection_pool_counts_all_that_was_not_cancelled() -> None:
    lines = run("connection_pool/demo.py").stdout.splitlines()
    assert lines == ["500 rows were written, and are there", "after 100 cancelled tasks the pool works: [(42,)]"]


@needs("sqlite")
def test_sqlite_keeps_the_sum_of_all_accounts() -> None:
    done = run("sqlite/demo.py")
    assert done.stdout.splitlines() == [
        "in all: (1000, 10)",
        "no such table: no_such_table",
        "by the standard library: (1000, 10)",
    ]
    assert done.stderr.startswith("200 transfers have ended: CancelledError, Error, NoneType")


@needs("event_source")
def test_event_source_without_one_of_the_folders_says_so(tree: Path) -> None:
    assert "No such file" in run("event_source/demo.py", tree, tree / "none", code=1).stderr


@needs("sum_numbers")
def test_sum_numbers_adds_up_and_closes_the_generator(tree: Path) -> None:
    assert run("sum_numbers/demo.py", tree / "folder").stdout.splitlines() == [
        "sum: the sum of all sizes",
        "sum: at least half of it: True, generators closed: 2",
        "sum: TypeError: 'str' object cannot be interpreted as an integer",
        "sum_on_pool: the sum of all sizes",
        "sum_on_pool: at least half of it: True, generators closed: 4",
        "sum_on_pool: TypeError: 'str' object cannot be interpreted as an integer",
    ]


# --- the tour ---


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with folders, links, empty files and odd names."""
    root = tmp_path / "tree"
    (root / "folder" / "deeper").mkdir(parents=True)
    for number in range(20):
        (root / "folder" / f"file {number}").write_bytes(os.urandom(1000 * number))
    (root / "folder" / "deeper" / "large").write_bytes(os.urandom(300_000))
    (root / "link to a file").symlink_to(root / "folder" / "file 7")
    (root / "link to a folder").symlink_to(root / "folder")
    (root / "link to nowhere").symlink_to(root / "nowhere")
    (root / "[bold]name\x1b[31m\n").write_bytes(b"a name that does things to a terminal")
    os.mkfifo(root / "fifo")
    return root


@needs("_tour")
def test_tour_hashes_a_tree_and_is_plain_text_when_piped(tree: Path) -> None:
    done = run("tour/tour.py", tree, *QUICK)
    assert "23 of 23 hashes are equal to hashlib's" in done.stdout
    assert "nothing is running after the cancel on asyncio" in done.stdout
    assert "the stream on asyncio has the same hashes, and ends" in done.stdout
    assert "files/s" in done.stdout and "ns/await" in done.stdout
    assert ESCAPE not in done.stdout and "\r" not in done.stdout and "in flight\n" not in done.stdout
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) < 100
    assert max(map(len, done.stdout.splitlines())) <= 80


@needs("_tour")
def test_tour_takes_the_tree_from_the_environment_and_any_encoding(tree: Path) -> None:
    done = run("tour/tour.py", *QUICK, TREE=str(tree), PYTHONIOENCODING="ascii")
    assert "23 of 23 hashes" in done.stdout
    assert done.stdout.isascii()


@needs("_tour")
def test_tour_with_colors_forced_shows_no_name_that_controls_the_terminal(tree: Path) -> None:
    (tree / "bad\x1b[31m\n").symlink_to("/proc/self/mem")
    done = run("tour/tour.py", tree, *QUICK, code=1, FORCE_COLOR="1")
    assert ESCAPE in done.stdout
    assert "bad\\x1b[31m\\n" in done.stdout


@needs("_tour")
def test_tour_reports_a_file_that_cannot_be_read(tree: Path) -> None:
    (tree / "unreadable").symlink_to("/proc/self/mem")  # a regular file whose first byte even root cannot read
    done = run("tour/tour.py", tree, *QUICK, code=1)
    assert f"cannot read {tree}/unreadable: Input/output error" in done.stdout
    assert "1 files cannot be read" in done.stdout
    assert "23 of 24 hashes are equal" in done.stdout


@needs("_tour")
def test_tour_of_unreadable_files_only_ends_after_the_first_part(tmp_path: Path) -> None:
    (tmp_path / "unreadable").symlink_to("/proc/self/mem")
    done = run("tour/tour.py", tmp_path, code=1)
    assert "0 of 1 hashes are equal" in done.stdout


@needs("_tour")
@pytest.mark.parametrize(
    ("name", "reason"), [("none", "is not a folder"), ("file", "is not a folder"), ("", "no files")]
)
def test_tour_of_a_wrong_tree_says_so(tmp_path: Path, name: str, reason: str) -> None:
    if name == "file":
        (tmp_path / name).touch()
    done = run("tour/tour.py", tmp_path / name, code=2)
    assert done.stdout == "" and done.stderr.startswith("tour: ") and reason in done.stderr


@needs("_tour")
def test_tour_without_its_module_says_so() -> None:
    done = run("tour/tour.py", code=2, PYTHONPATH="")
    assert done.stdout == "" and "make demo" in done.stderr


@needs("_tour")
def test_tour_ends_cleanly_on_control_c(tree: Path) -> None:
    command = [sys.executable, "-u", str(EXAMPLES / "tour" / "tour.py"), str(tree)]
    with (
        subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
        ) as tour,
        programs.limited(tour),
    ):
        assert tour.stdout is not None
        while "ticker" not in tour.stdout.readline():
            assert tour.poll() is None
        _, errors = interrupt(tour)
    assert tour.returncode == 130
    assert errors == "tour: interrupted\n"


# --- the programs whose main is C ---

SERVER, C_TESTS = programs.find_program("embedded_server"), programs.find_program("c_tests")


@programs.needs(C_TESTS)
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_c_tests_pass(loop: str) -> None:
    done = programs.run_program(C_TESTS, "--loop", loop)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(" - ")[0] for line in done.stdout.splitlines()[2:6]] == ["ok 1", "ok 2", "ok 3", "ok 4"]


@programs.needs(SERVER)
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("end", ["quit", "interrupt"])
def test_embedded_server_has_requests_answered_by_python(loop: str, end: str) -> None:
    with (
        subprocess.Popen(
            [str(SERVER), str(EXAMPLES / "embedded_server"), loop],
            env=programs.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as server,
        programs.limited(server),
    ):
        assert server.stdout
        port = int(server.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as client, client.makefile("rw") as stream:
            for request in ("hello", "", "world"):
                stream.write(request + "\n")
                stream.flush()
                answer = request.upper() if request else "error: a Python exception"
                assert stream.readline() == answer + "\n"
            if end == "quit":
                stream.write("quit\n")
                stream.flush()
                out, errors = server.communicate()
            else:
                out, errors = interrupt(server)
            assert (server.returncode, out, errors) == (0 if end == "quit" else 130, "", "")
