"""Iterate over the lines of a file, which native code reads ahead; compare with Python's own reading.

python examples/file_lines/demo.py [FILE]        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import sysconfig
from pathlib import Path

from file_lines import line_lists, lines


def large_file() -> Path:
    """The largest source file of the standard library."""
    return max(Path(sysconfig.get_path("stdlib")).glob("*/*.py"), key=lambda path: path.stat().st_size)


async def count(path: Path) -> tuple[int, int]:
    """How many lines and words there are."""
    n_lines = n_words = 0
    async for line in lines(path):
        n_lines += 1
        n_words += len(line.split())
    return n_lines, n_words


async def is_equal(path: Path) -> bool:
    """Whether the lines, which come in lists here, are those that Python reads."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        async for some in line_lists(path):
            if some != [file.readline() for _ in some]:
                return False
        return file.readline() == ""


async def first_long_line(path: Path) -> int:
    """The number of the first line of more than 60 characters; the rest of the file is not read. 0: there is none."""
    number = 0
    async with contextlib.aclosing(lines(path)) as all_lines:  # ends the reading at once, whatever happens in here
        async for line in all_lines:
            number += 1
            if len(line) > 60:
                return number
    return 0


async def main() -> None:
    """Count, compare, stop early."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else large_file()
    n_lines, n_words = await count(path)
    print(f"{n_lines} lines, {n_words} words")
    if not await is_equal(path):
        sys.exit(f"{path}: the lines are not those that Python reads")
    print("equal to what Python reads")
    print(f"the first long line is number {await first_long_line(path)}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OSError as error:
        sys.exit(str(error))
