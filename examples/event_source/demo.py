"""Four native threads walk four folders, and one `async for` has an event for each file that they find.

python examples/event_source/demo.py [FOLDER]...        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import sysconfig
import time

from event_source import walk

FOLDERS = ("asyncio", "email", "encodings", "json")  # of the standard library


def walk_in_python(folders: list[str]) -> dict[str, int]:
    """What the native threads find, by os.walk."""
    found = {}
    for root in folders:
        for folder, _, names in os.walk(root):
            for path in (os.path.join(folder, name) for name in names):
                if not os.path.islink(path):
                    found[path] = os.path.getsize(path)
    return found


def threads() -> int:
    """How many threads this process has, native ones included."""
    return len(os.listdir("/proc/self/task"))


async def find_one(folders: list[str], end: str) -> str:
    """The first file that is found whose name ends so; the threads stop then."""
    async with contextlib.aclosing(walk(*folders)) as files:
        async for path, _ in files:
            if path.endswith(end):
                return path
    return "no file"


async def main() -> None:
    """Count, compare, stop early."""
    library = sysconfig.get_path("stdlib")
    folders = sys.argv[1:] or [os.path.join(library, name) for name in FOLDERS]
    before = threads()
    found = {path: size async for path, size in walk(*folders)}
    if found != walk_in_python(folders):
        sys.exit("the files are not those that os.walk finds")
    print(f"{len(found)} files, {sum(found.values())} bytes, equal to what os.walk finds")
    print(f"found {os.path.basename(await find_one(folders, '.py'))!r} and stopped")
    deadline = time.monotonic() + 5
    while threads() > before and time.monotonic() < deadline:
        await asyncio.sleep(0.001)
    print(f"native threads left: {threads() - before}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OSError as error:
        sys.exit(str(error))
