"""Calls run down: what a file uses, by call or by address, is defined in a file that stands below it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shape.c_text import declarations, first_lines
from shape.symbols import Symbols
from shape.tree import Problem, Tree, circles, stem_of


def uses(symbols: Symbols) -> Iterator[tuple[str, str, str]]:
    """(source, symbol, the source that defines it) of each use of another file of the library."""
    for user, words in symbols.used.items():
        for word in sorted(words):
            for definer in symbols.definers.get(word, ()):
                yield user, word, definer


def calls(tree: Tree) -> Iterator[Problem]:
    """No use of a function or an object runs up, and no files use each other in a circle."""
    symbols = tree.symbols
    for name, text in symbols.failed.items():
        first = next((line for line in text.splitlines() if "error" in line), text.strip())
        yield Problem(name, 1, f"does not compile: {re.sub(r'^.*?(?=error)', '', first)}")
    graph: dict[str, set[str]] = {}
    lines: dict[str, dict[str, int]] = {}
    for user, word, definer in uses(symbols):
        graph.setdefault(stem_of(user), set()).add(stem_of(definer))
        if why := tree.why_not(user, definer):
            if user not in lines:
                lines[user] = first_lines(tree.text(user), symbols.used[user])
            through = "" if word in lines[user] else " (in an inline function or a macro of a header)"
            yield Problem(user, lines[user].get(word, 1), f"uses {word}{through} of {definer}, {why}")
    yield from inline_calls(tree)
    for group in circles(graph):
        yield Problem(group[0] + ".c", 1, f"{len(group)} files call each other in a circle: {', '.join(group)}")


def inline_calls(tree: Tree) -> Iterator[Problem]:
    """The inline functions and macros of headers use only what stands below them."""
    symbols = tree.symbols
    for name in tree.below("src", ".h"):
        text = tree.text(name)
        own = {one.name for one in declarations(text)}
        for word, line in first_lines(text, symbols.definers.keys() - own).items():
            for definer in symbols.definers[word]:
                if why := tree.why_not(name, definer):
                    yield Problem(name, line, f"uses {word} of {definer}, {why}")
