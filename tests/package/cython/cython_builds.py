"""What the tests of Cython build with: an environment in which `from cawait.setuptools import Extension` and
`from cawait cimport *` work, as where the package is installed.

Where it is not, `stand_in` makes one: a folder for PYTHONPATH, out of this tree.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ["cython_callback", "cython_zlib"]
BUILT = "CAWAIT_TEST_BUILT"  # in the environment: the folder where another run has built the modules
Run = Callable[..., Any]

# The checks of a debug build: a mistake aborts with a message.
CFLAGS = "-O1 -g0 -UNDEBUG -Wall -Wextra -Wno-unused-parameter -Werror"
EXTENSION = '''\
"""As that of the package: the library is compiled beside the author's sources, here once for all."""
import setuptools

class Extension(setuptools.Extension):
    def __init__(self, name, sources, **more):  # Cython calls it again, with all that it has made of the arguments
        given = dict(include_dirs=[{include!r}], extra_objects=[{library!r}], libraries=["pthread"])
        for key, values in given.items():
            had = more.setdefault(key, [])
            had += [value for value in values if value not in had]
        super().__init__(name, sources, **more)
'''


def run(command: list[str | Path], **options: Any) -> str:
    """The output of a command, which must not fail."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)


def is_installed() -> bool:
    """Whether the package itself is there, with its helper for setuptools and its headers."""
    package = importlib.util.find_spec("cawait")
    folders = package.submodule_search_locations or [] if package else []
    return any((Path(folder) / "setuptools.py").is_file() and (Path(folder) / "include").is_dir() for folder in folders)


def joined_source(folder: Path) -> Path:
    """The joined source, made of this tree."""
    if not (folder / "cawait.c").exists():
        run([sys.executable, ROOT / "tools" / "amalgamate", folder])
    return folder


def stand_in(folder: Path) -> dict[str, str]:
    """The environment for builds without the package."""
    joined = joined_source(folder / "joined")
    library = folder / "cawait.o"
    flags = ["-std=c11", "-fPIC", "-fvisibility=hidden", "-pthread", *CFLAGS.split()]
    include = ["-I", joined, "-I", sysconfig.get_path("include")]
    run([os.environ.get("CC", "cc"), *flags, *include, "-c", joined / "cawait.c", "-o", library])
    package = folder / "path" / "cawait"
    shutil.copytree(ROOT / "python" / "cawait", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "setuptools.py").write_text(EXTENSION.format(include=str(joined), library=str(library)))
    return {"PYTHONPATH": str(package.parent)}


def build(source: Path, folder: Path, environment: dict[str, str]) -> Path:
    """Build a copy of a folder that has a setup.py, in place; returns the copy. Cython's warnings are errors, in what
    is generated there is no function that takes the GIL, and the C compiler has no warning."""
    copy = folder / source.name
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("*.c~", "build", "__pycache__"))
    environment = {**os.environ, **environment, "CFLAGS": CFLAGS}
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
