"""Programs whose main is C, and how tests run them."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.children import HANG_SECONDS, interrupt
from support.children.asan import ASAN
from support.kinds import each_kind

each_loop = each_kind("loop", ["asyncio", "trio", "uvloop"])


def find_program(name: str) -> Path:
    """Its path beside the extension modules. If it was not built, the path does not exist."""
    return next((path for folder in sys.path if (path := Path(folder) / name).is_file()), Path("not built", name))


def needs(program: Path) -> pytest.MarkDecorator:
    """Skip if the program was not built."""
    return pytest.mark.skipif(
        not program.is_file(), reason="this interpreter has no libpython that a program could be linked with"
    )


def environment(**changes: str) -> dict[str, str]:
    """The environment: the program's own library, and this virtual environment as if it was activated. Such a program
    does not finalize the interpreter, so what that owns at the end is no leak."""
    if ASAN:
        changes["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    library = sysconfig.get_config_var("LIBDIR")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    path = f"{sys.prefix}/bin{os.pathsep}{env.get('PATH', os.defpath)}"
    return {**env, "LD_LIBRARY_PATH": library, "VIRTUAL_ENV": sys.prefix, "PATH": path, **changes}


def run_plain(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that has no Python in it: beside the interpreter's library there may be another C library."""
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=HANG_SECONDS)


def run_program(program: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run it to the end, in an environment with these changes."""
    return subprocess.run(
        [str(program), *arguments],
        env=environment(**changes),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=HANG_SECONDS,
    )


@contextmanager
def limited(child: subprocess.Popen[str]) -> Iterator[None]:
    """Kill the child where the test fails, and where it takes too long: whoever reads from it comes to the end then."""
    limit = threading.Timer(HANG_SECONDS, child.kill)
    limit.start()
    try:
        yield
    except BaseException:
        child.kill()
        raise
    finally:
        limit.cancel()


def interrupt_program(program: Path, *arguments: str) -> tuple[int, str, str]:
    """Send SIGINT when it has written that it is waiting. Returns its exit code, its output after that, and its
    stderr."""
    command = [str(program), *arguments]
    with (
        subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child,
        limited(child),
    ):
        assert child.stdout
        for line in child.stdout:
            if line == "waiting\n":
                break
        out, errors = interrupt(child)
    return child.returncode, out, errors
