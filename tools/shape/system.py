"""One place for each thing that is not plain C: the system, the compiler, the platform, the version of CPython."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shape.c_text import code
from shape.tree import Problem, Tree

# the name of a rule -> the pattern that it looks for, in code without comments
RULES = {
    "system headers": r"#\s*include\s*<((?:pthread|unistd|poll|fcntl|signal|sched|time|threads|dlfcn)\.h|sys/\w+\.h)>",
    "compiler": r"\b(_Thread_local|thread_local|__thread|__attribute__|__declspec|__extension__|__builtin_\w+|_Pragma"
    r"|__GNUC__|__clang__|_MSC_VER)\b|^\s*#\s*(pragma)\b|(?:[=,({\[]|\breturn)\s*(&&\s*[a-zA-Z_])|\b(goto\s*\*)",
    "platform": r"\b(__linux__|__APPLE__|__FreeBSD__|__unix__|_WIN32|_WIN64|__CYGWIN__|__ANDROID__)\b",
    "CPython": r"\b(PY_VERSION_HEX|PY_(?:MAJOR|MINOR)_VERSION|Py_GIL_DISABLED|Py_DEBUG|Py_TRACE_REFS)\b",
}


def allows(entries: tuple[str, ...], name: str) -> bool:
    """Whether a table has the file, or a folder that it is in."""
    return any(name == entry or (entry.endswith("/") and name.startswith(entry)) for entry in entries)


def system(tree: Tree) -> Iterator[Problem]:
    """What is not plain C is only in the files that tools/layers.py names for it."""
    kept: set[tuple[str, str]] = set()
    for name in tree.below("include") + tree.below("src"):
        for number, line in enumerate(code(tree.text(name)).split("\n"), 1):
            for rule, pattern in RULES.items():
                if match := re.search(pattern, line):
                    kept.add((rule, name))
                    if not allows(tree.layout.allowed.get(rule, ()), name):
                        word = next(filter(None, match.groups()))
                        yield Problem(name, number, f'{word}: not here, see "{rule}" in tools/layers.py')
    for rule, entries in tree.layout.allowed.items():
        for entry in entries:
            if not entry.endswith("/") and (rule, entry) not in kept:
                yield Problem("tools/layers.py", 1, f'"{rule}" names {entry}, which has nothing of it')
