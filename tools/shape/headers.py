"""The header rule: a header declares only what its own .c file defines. And the public headers' contract."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shape.c_text import Declaration, declarations
from shape.tree import Problem, Tree, stem_of

THREADS = ("any-thread", "poller", "loop", "the main thread", "init", "the turning thread", "one thread at a time")
GILS = ("no-gil", "gil", "drops-gil")
MARK = re.compile(rf"^({'|'.join(THREADS)})[^·\n]* · ({'|'.join(GILS)})[^·]* · [^·]+ · ", re.MULTILINE)


def declared_in(tree: Tree, names: list[str]) -> dict[str, list[Declaration]]:
    """The declarations of each file."""
    return {name: list(declarations(tree.text(name))) for name in names}


def headers(tree: Tree) -> Iterator[Problem]:
    """What a private header declares is defined by the .c file beside it; what a .c file defines for others is in a
    header."""
    private = declared_in(tree, tree.below("src", ".h"))
    symbols = tree.symbols
    for name, found in private.items():
        own = symbols.defined.get(stem_of(name) + ".c", set())
        for one in found:
            if one.has_body:
                yield Problem(name, one.line, f"defines {one.name}: static inline?")
            elif one.name not in own:
                yield Problem(name, one.line, f"declares {one.name}, which {definers(tree, one.name)} defines")
    known = {one.name for found in private.values() for one in found}
    known |= {one.name for found in declared_in(tree, tree.below("include")).values() for one in found}
    for name, found in declared_in(tree, tree.below("src", ".c")).items():
        own = symbols.defined.get(name, set())
        for one in found:
            if one.name not in own and one.name in symbols.definers:
                text = f"declares {one.name} by itself, which {definers(tree, one.name)} defines"
                yield Problem(name, one.line, text)
        for word in sorted(own - known):
            yield Problem(name, 1, f"defines {word}, which no header declares: static?")


def definers(tree: Tree, name: str) -> str:
    """The files that define a symbol, in words."""
    return ", ".join(tree.symbols.definers.get(name, ())) or "no file"


def public(tree: Tree) -> Iterator[Problem]:
    """A public function is marked CAW_API, declared in one header, and defined by one file of the header's side."""
    first: dict[str, str] = {}
    for name, found in declared_in(tree, tree.below("include") + tree.below("src", ".h")).items():
        for one in found:
            if other := first.get(one.name):
                yield Problem(name, one.line, f"declares {one.name}, as {other} does")
            elif name.startswith("include/"):
                first[one.name] = name
                if text := public_problem(tree, name, one):
                    yield Problem(name, one.line, f"{one.name} {text}")


def public_problem(tree: Tree, header: str, one: Declaration) -> str | None:
    """The problem of a public function in a few words, or None."""
    if "CAW_API" not in one.words:
        return "is not marked CAW_API"
    side = "src/python/" if stem_of(header).removeprefix("include/") in tree.layout.with_python else "src/core/"
    files = tree.symbols.definers.get(one.name, [])
    if len(files) != 1 or not files[0].startswith(side):
        return f"is defined by {definers(tree, one.name)}, not by one file of {side}"
    return None


def marks(tree: Tree) -> Iterator[Problem]:
    """Public functions without a mark, or with a mark of unknown words."""
    for name in tree.below("include"):
        lines = tree.text(name).splitlines()
        for number, line in enumerate(lines):
            if re.match(r"(CAW_API|static inline)\b", line) and not MARK.search(comment_above(lines, number)):
                text = "no mark (thread · GIL · ownership · failure · re-entrancy) above it"
                yield Problem(name, number + 1, text)


def comment_above(lines: list[str], number: int) -> str:
    """The comment above a function, or above the group of functions that it is in."""
    above = number - 1
    while above >= 0 and lines[above] and not lines[above].endswith("*/"):
        above -= 1  # the rest of the group
    comment: list[str] = []
    while above >= 0 and (lines[above].endswith("*/") or lines[above].startswith(" *") or comment):
        comment.insert(0, lines[above].strip(" /*"))
        if lines[above].startswith("/*"):
            break
        above -= 1
    return "\n".join(comment)
