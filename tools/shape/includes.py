"""Each file has a place in the table and includes only what stands below it; each .c file is built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from shape.tree import Problem, Tree, circles, room_of, stem_of

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def included(tree: Tree, name: str) -> Iterator[tuple[int, str, str | None]]:
    """(line, text, the file of the library or None) of each include of a file."""
    for number, line in tree.numbered(name):
        if match := INCLUDE.match(line):
            said = match[1] or match[2]
            files = (f"{folder}/{said}" for folder in ("include", "src"))
            yield number, said, next((file for file in files if (tree.root / file).is_file()), None)


def places(tree: Tree) -> Iterator[Problem]:
    """Each file of the library has a place in the table, and each name in the table is a file."""
    stems = {stem_of(name): name for name in tree.below("include") + tree.below("src")}
    for stem in sorted(stems.keys() - tree.places.keys()):
        yield Problem(stems[stem], 1, "has no place among the layers: give it one in tools/layers.py")
    for stem in sorted(tree.places.keys() - stems.keys()):
        yield Problem("tools/layers.py", 1, f"{stem} has a place, and is not there")


def needs_no_python(tree: Tree, name: str) -> bool:
    """Whether a file of the library must compile without Python."""
    stem = stem_of(name).removeprefix("include/")
    return name.startswith("src/core/") or (name.startswith("include/") and stem not in tree.layout.with_python)


def includes(tree: Tree) -> Iterator[Problem]:
    """A file includes only files of lower rooms, of lower places in its room, and its own header."""
    graph: dict[str, set[str]] = {}
    for name in tree.c_names:
        for line, said, file in included(tree, name):
            if file:
                graph.setdefault(name, set()).add(file)
            if text := include_problem(tree, name, said, file):
                yield Problem(name, line, f"includes {said}, {text}")
        header = stem_of(name) + ".h"
        if name.startswith("src/") and header != name and header in tree.c_names and header not in graph.get(name, ()):
            yield Problem(name, 1, f"does not include its own header, {header}")
    for group in circles(graph):
        yield Problem(group[0], 1, f"includes run in a circle: {', '.join(group)}")


def include_problem(tree: Tree, name: str, said: str, file: str | None) -> str | None:
    """The problem of one include in a few words, or None."""
    public = "" if file is None else stem_of(file).removeprefix("include/")
    if needs_no_python(tree, name) and (said == "Python.h" or public in tree.layout.with_python):
        return "but the core knows no Python"
    if file is None:
        is_own = name.startswith(("src/", "include/")) and said.partition("/")[0] in ("core", "python", "cawait")
        return "which is not there" if is_own else None
    if name.startswith("src/"):
        return tree.why_not(name, file)
    if file.startswith("src/"):
        if name.startswith("tests/c/") and said in tree.layout.unit_tested:
            return None
        return f"which is private to {room_of(file)}"
    return tree.why_not(name, file) if name.startswith("include/") else None


def built(tree: Tree) -> Iterator[Problem]:
    """Each C file is named in a meson.build: else it would not be built, and its tests would not run."""
    for name in tree.c_names:
        if name.startswith("include/") or not name.endswith(".c"):
            continue
        path = PurePosixPath(name)
        folder = next((folder for folder in path.parents if f"{folder}/meson.build" in tree.names), None)
        if folder is None:
            yield Problem(name, 1, "stands below no meson.build")
            continue
        text = tree.text(f"{folder}/meson.build")
        relative = path.relative_to(folder).as_posix()
        named = rf"'{re.escape(relative)}'" if name.startswith("src/") else rf"\b{re.escape(path.stem)}\b"
        if not re.search(named, text):
            yield Problem(name, 1, f"not named in {folder}/meson.build")


def guards(tree: Tree) -> Iterator[Problem]:
    """Each header has a guard of its own, also where two have the same file name: the joined source relies on it."""
    seen: dict[str, str] = {}
    for name in tree.below("include") + tree.below("src", ".h"):
        match = re.search(r"^#\s*ifndef (\w+)\n#\s*define \1$", tree.text(name), re.MULTILINE)
        if not match:
            yield Problem(name, 1, "has no guard")
        elif (other := seen.setdefault(match[1], name)) != name:
            yield Problem(name, 1, f"has the guard {match[1]}, as {other} has")
