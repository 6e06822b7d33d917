"""What the tests of Cython build with. They run in an environment that has the package: ../test_cython.py makes it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ["cython_callback", "cython_zlib"]
BUILT = "CAWAIT_TEST_BUILT"  # in the environment: the folder where another run has built the modules
Run = Callable[..., Any]

# The checks of a debug build: a mistake aborts with a message.
CFLAGS = "-O1 -g0 -UNDEBUG -Wall -Wextra -Wno-unused-parameter -Werror"


def run(command: list[str | Path], **options: Any) -> str:
    """The output of a command, which must not fail."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)


def build(source: Path, folder: Path) -> Path:
    """Build a copy of a folder that has a setup.py, in place; returns the copy. Cython's warnings are errors, in what
    is generated there is no function that takes the GIL, and the C compiler has no warning."""
    copy = folder / source.name
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("*.c~", "build", "__pycache__"))
    environment = {**os.environ, "CFLAGS": CFLAGS}
    for module in copy.glob("*.pyx"):
        command = [sys.executable, "-m", "cython", "-3", "-Wextra", "--warning-errors", module]
        run(command, cwd=copy, env=environment)
        assert not takes_the_gil(module.with_suffix(".c"))
    run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=copy, env=environment)
    return copy


def takes_the_gil(generated: Path) -> list[str]:
    """The functions of the author's in Cython's C that take the GIL by themselves."""
    function = re.compile(r"^static [^\n;]*?\b(__pyx_f_\w+)\([^\n]*\) \{\n(.*?)^\}", re.M | re.S)
    return [name for name, body in function.findall(generated.read_text()) if "PyGILState_Ensure" in body]


async def gather(framework: str, functions: list[Callable[[], Any]]) -> list[Any]:
    """The results of all of them, which run at once."""
    if framework != "trio":
        return list(await asyncio.gather(*(function() for function in functions)))
    import trio

    results: list[Any] = [None] * len(functions)

    async def one(index: int) -> None:
        results[index] = await functions[index]()

    async with trio.open_nursery() as nursery:
        for index in range(len(functions)):
            nursery.start_soon(one, index)
    return results


async def cancelled(framework: str, function: Callable[[], Any]) -> bool:
    """Whether it ends with the cancellation, when it is cancelled in flight."""
    if framework == "trio":
        import trio

        with trio.move_on_after(0.01) as scope:
            await function()
        return bool(scope.cancelled_caught)
    task = asyncio.ensure_future(function())
    await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return task.cancelled()
