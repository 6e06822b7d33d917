"""The tree that the rules read, the table of its layout, and the problems that a rule reports."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from common import BUILD_MARK
from shape.symbols import Symbols, read

SKIPPED = {".git", ".pytest_cache", ".ruff_cache", "build", "__pycache__"}
SUFFIXES = {".c", ".h", ".py", ".md", ".build", ".options", ".txt", ".supp", ".yml", ".toml", ".cfg", ".ini", ""}
# the folders with C files; those in the last three see public headers only
C_FOLDERS = ("include", "src", "tests", "examples", "bench")


@dataclass(frozen=True)
class Problem:
    """One problem, and where it is."""

    name: str  # the file, as the path from the root
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Layout:
    """The layout, from low to high. A name in a table stands for the .c file and the header together."""

    public: tuple[str, ...] = ()  # the headers of include/: each string is a tier, whose headers are independent
    rooms: Mapping[str, str] = field(default_factory=dict)  # a folder of src -> its files
    apart: tuple[frozenset[str], ...] = ()  # sets of rooms of which none uses another
    with_python: frozenset[str] = frozenset()  # public headers that need Python
    unit_tested: frozenset[str] = frozenset()  # private files that tests/c may include
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # a rule of system.py -> files, folders with /


class Tree:
    """The files below a root."""

    def __init__(self, root: Path, layout: Layout) -> None:
        self.root = root
        self.layout = layout

    @cached_property
    def names(self) -> list[str]:
        """Every text file, as the path from the root, without build folders."""
        found = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if name not in SKIPPED]
            folders[:] = [name for name in folders if not Path(folder, name, BUILD_MARK).exists()]
            paths = (Path(folder, name) for name in files if name not in SKIPPED and Path(name).suffix in SUFFIXES)
            found += [path.relative_to(self.root).as_posix() for path in paths if path.is_file()]
        return sorted(found)

    @cached_property
    def c_names(self) -> list[str]:
        """Every C file and header."""
        return [name for name in self.names if name.endswith((".c", ".h")) and name.split("/")[0] in C_FOLDERS]

    def below(self, folder: str, suffix: str = "") -> list[str]:
        """The C files and headers below a folder, or those with a suffix."""
        return [name for name in self.c_names if name.startswith(folder + "/") and name.endswith(suffix)]

    @cached_property
    def symbols(self) -> Symbols:
        """The symbols that the sources of the library define and use."""
        return read(self.root, self.below("src", ".c"))

    @cached_property
    def places(self) -> dict[str, tuple[int, int]]:
        """A file of the library without its suffix -> its place: the higher, the larger. Public headers are lowest."""
        places = {}
        for tier, stems in enumerate(self.layout.public):
            places |= {f"include/{stem}": (-1, tier) for stem in stems.split()}
        for room, (folder, stems) in enumerate(self.layout.rooms.items()):
            places |= {f"src/{folder}/{stem}": (room, number) for number, stem in enumerate(stems.split())}
        return places

    def place(self, name: str) -> tuple[int, int] | None:
        """A file's place, or None if it has none in the table."""
        return self.places.get(stem_of(name))

    def why_not(self, user: str, used: str) -> str | None:
        """Why the first of these files may not use the second: a few words, or None."""
        own, other = self.place(user), self.place(used)
        if own is None or other is None:
            return None  # a problem of the table, which is reported once, elsewhere
        if other > own:
            return "which stands above it"
        rooms = {room_of(user), room_of(used)}
        if len(rooms) == 2 and any(rooms <= group for group in self.layout.apart):
            return "and these rooms do not use each other"
        return None

    def text(self, name: str) -> str:
        """The text of a file."""
        return (self.root / name).read_text(encoding="utf-8")

    def numbered(self, name: str) -> Iterator[tuple[int, str]]:
        """The lines of a file, with their numbers."""
        yield from enumerate(self.text(name).splitlines(), 1)


def stem_of(name: str) -> str:
    """A path without its suffix."""
    return name.rpartition(".")[0]


def room_of(name: str) -> str:
    """The room that a file stands in: its folder below src, or include."""
    folder = name.rpartition("/")[0]
    return folder.removeprefix("src/")


def circles(graph: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """The nodes of the graph that reach each other, in groups of two or more."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for node in graph.get(todo.pop(), set()) - seen:
                seen.add(node)
                todo.append(node)
        return seen

    reach = {node: reached(node) for node in graph}
    done: set[str] = set()
    for node in sorted(graph):
        group = {other for other in reach[node] if node in reach.get(other, ())}
        if node not in done and len(group) > 1:
            yield sorted(group)
        done |= group
