"""The shape of the tree, as a test: includes run one way, every public function has its mark, nothing is too long.

Prints each problem as file:line: text; the exit code is 1 when there is one.
"""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from common import ROOT

# From low to high. A file includes files of its own tier and of lower ones. A new file gets its place here; a name with
# a suffix is that file alone.
PUBLIC = ("base", "error waker", "future", "promise stream bytes", "channel reactor", "pool testing_tools", "core", "python")
CORE = (
    "wake_queue timer_heap thread fork",
    "error waker",
    "future",
    "promise stream merge",
    "channel send",
    "reactor source wait",
    "sleep io block_on fd_stream bytes",
    "pool blocking spawn testing",
)
BRIDGE = (
    "compat",
    "state.h",
    "node.h raise source function.h",
    "job.h node.c",
    "coroutine.h",
    "anyio hub job.c drain framework outcome park asyncio trio helper awaitable locals ref remote pyitem",
    "await.c call cancel checkpoint pyfuture chain generator pystream pump closing advance step coroutine.c frame attributes"
    " function.c signature wrapper",
    "run stopper testing bytes",
    "state.c",  # makes every type, so it knows them all
)

MAX_FILE, MAX_FUNCTION = 500, 80
THREADS = ("any-thread", "poller", "loop", "the main thread", "init", "the turning thread", "one thread at a time")
GILS = ("no-gil", "gil", "drops-gil")
# a path of the machine that something was written on; spelled so that this file does not hold one
MACHINE_PATH = re.compile("/" + r"(?:work|root|home/\w+|tmp/bash_jobs)/")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
TEXT = {".c", ".h", ".py", ".md", ".build", ".options", ".txt", ".supp", ".yml", ".toml", ".cfg", ".ini", ""}


def tiers(table: tuple[str, ...]) -> dict[str, int]:
    """Each name -> its tier."""
    return {name: tier for tier, names in enumerate(table) for name in names.split()}


TIERS = {"cawait": tiers(PUBLIC), "core": tiers(CORE), "python": tiers(BRIDGE)}
# which folders' headers a folder's files may include; the last three see public headers only
MAY_INCLUDE = {
    "include/cawait": {"cawait"},
    "src/core": {"cawait", "core"},
    "src/python": {"cawait", "core", "python"},
    "tests": {"cawait"},
    "examples": {"cawait"},
    "bench": {"cawait"},
}
# private units that tests/c may include; the .c files are compiled there with an allocator that fails
UNIT_TESTED = {"core/timer_heap.h", "core/wake_queue.h"}
UNIT_TESTED |= {f"core/{name}.c" for name in ("channel", "fd_stream", "merge", "stream_around")}


def files() -> list[Path]:
    """Every text file of the tree, without what is built."""
    skipped = {".git", "build", "__pycache__"}
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.is_file() and path.suffix in TEXT and not skipped & set(path.relative_to(ROOT).parts)
    )


def name_of(path: Path) -> str:
    """The path as it is written in messages."""
    return path.relative_to(ROOT).as_posix()


def tier_of(layer: str, name: str) -> int | None:
    """A file's tier; reactor_epoll.c stands where reactor does."""
    stem = name.rpartition(".")[0]
    while stem and stem not in TIERS[layer]:
        stem = stem.rpartition("_")[0]
    return TIERS[layer].get(name, TIERS[layer].get(stem))


def include_problems(path: Path, folder: str, graph: dict[str, set[str]]) -> Iterator[str]:
    """What is wrong with the includes of one file; what it includes goes into the graph."""
    own_layer = {"include/cawait": "cawait", "src/core": "core", "src/python": "python"}.get(folder)
    own_tier = tier_of(own_layer, path.name) if own_layer else None
    if own_layer and own_tier is None:
        yield f"{name_of(path)}:1: has no place among the layers: give it one in tools/layers.py"
        return
    core = own_layer == "core" or (own_layer == "cawait" and not path.stem.startswith("python"))
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        included = match[1] or match[2]
        layer, _, rest = included.rpartition("/")
        where = f"{name_of(path)}:{number}: includes {included}"
        if core and included == "Python.h":
            yield f"{where}, but the core knows no Python"
        if layer not in TIERS or (name_of(path).startswith("tests/c/") and included in UNIT_TESTED):
            continue
        graph.setdefault(f"{own_layer}/{path.name}" if own_layer else name_of(path), set()).add(included)
        if layer not in MAY_INCLUDE[folder]:
            yield f"{where}, which is private to {layer}"
        elif core and included.startswith("cawait/python"):
            yield f"{where}, but the core knows no Python"
        elif layer == own_layer and (tier_of(layer, rest) or 0) > (own_tier or 0):
            yield f"{where}, which stands above it"


def mark_problems(path: Path) -> Iterator[str]:
    """Public functions without a mark, or with one that says nothing known."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if not re.match(r"(CAW_API|static inline)\b", line):
            continue
        above = number - 1
        while above >= 0 and lines[above] and not lines[above].endswith("*/"):
            above -= 1  # the rest of the group
        comment: list[str] = []
        while above >= 0 and (lines[above].endswith("*/") or lines[above].startswith(" *") or comment):
            comment.insert(0, lines[above].strip(" /*"))
            if lines[above].startswith("/*"):
                break
            above -= 1
        text = "\n".join(comment)
        mark = re.search(rf"^({'|'.join(THREADS)})[^·\n]* · ({'|'.join(GILS)})[^·]* · [^·]+ · ", text, re.MULTILINE)
        if not mark:
            yield f"{name_of(path)}:{number + 1}: no mark (thread · GIL · ownership · failure · re-entrancy) above it"


def without_comments(text: str) -> str:
    """C text with comments, strings, and preprocessor lines blanked, line by line."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:\\\n|[^\n])*'
    blank = lambda match: "\n" * match[0].count("\n")  # noqa: E731
    return re.sub(pattern, blank, text, flags=re.DOTALL | re.MULTILINE)


def long_c_functions(text: str) -> Iterator[tuple[int, int]]:
    """(line, length) of the functions of a C file: braces that open at the outermost level after a `)`."""
    depth, start, line, before = 0, 0, 1, ""
    for char in without_comments(text):
        if char == "\n":
            line += 1
        elif char == "{":
            if depth == 0:
                start = line if before == ")" else 0
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0 and start:
                yield start, line - start + 1
        if not char.isspace():
            before = char


def long_python_functions(text: str) -> Iterator[tuple[int, int]]:
    """(line, length) of the functions of a Python file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1


def text_problems(path: Path) -> Iterator[str]:
    """Paths of a machine; files and functions that are too long."""
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield f"{name_of(path)}:{number}: a path of somebody's machine"
    if path.suffix not in (".c", ".h", ".py"):
        return
    if (length := text.count("\n")) > MAX_FILE:
        yield f"{name_of(path)}:1: {length} lines; two subjects in one file?"
    functions = long_python_functions(text) if path.suffix == ".py" else long_c_functions(text)
    for line_number, length in functions:
        if length > MAX_FUNCTION:
            yield f"{name_of(path)}:{line_number}: a function of {length} lines; two thoughts in one?"


def build_problems(path: Path) -> Iterator[str]:
    """A C file that no meson.build names would not be built, and a test in it would not run."""
    lists = [folder / "meson.build" for folder in path.parents if (folder / "meson.build").exists()]
    if not re.search(rf"\b{path.stem}\b", lists[0].read_text()):
        yield f"{name_of(path)}:1: not named in {name_of(lists[0])}"


def problems() -> list[str]:
    """Everything that is wrong with the shape of the tree."""
    found: list[str] = []
    graph: dict[str, set[str]] = {}
    for path in files():
        found += text_problems(path)
        folder = next((folder for folder in MAY_INCLUDE if name_of(path).startswith(folder + "/")), "")
        if folder and path.suffix in (".c", ".h"):
            found += include_problems(path, folder, graph)
        if folder and path.suffix == ".c":
            found += build_problems(path)
        if folder == "include/cawait":
            found += mark_problems(path)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.append(f"includes run in a circle: {' -> '.join(error.args[1])}")
    return found


if __name__ == "__main__":
    wrong = problems()
    print("\n".join(wrong) or f"{len(files())} files in order")
    sys.exit(1 if wrong else 0)
