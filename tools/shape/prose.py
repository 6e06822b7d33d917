"""Lines stay within the formatter's columns; a file says what it is; nothing is too long."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shape.c_text import code, comments
from shape.tree import Problem, Tree

MAX_FILE, MAX_FUNCTION = 500, 80
# a path of the machine that something was written on, written so that this file itself has none
MACHINE_PATH = re.compile("/" + r"(?:work|root|home/\w+|tmp/bash_jobs)/")
ONLY_SEE = re.compile(r"(?:\S+: )?see (?:also )?[\w/]+\.[ch]\.?", re.IGNORECASE)
# in Markdown: lines that cannot be broken
LINK = r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\([^)]*\)|<?https?://\S+"
UNBREAKABLE = re.compile(rf"\s*(?:\|.*|<!--.*-->|\[[^\]]+\]:\s.*|(?:[-*]|\d+\.)?\s*(?:(?:{LINK})[.,;:]?\s*)+)")


def is_python(tree: Tree, name: str) -> bool:
    """Whether a file is a Python source: by its suffix, or by its first line."""
    if name.endswith(".py"):
        return True
    return "." not in name.rpartition("/")[2] and "python" in tree.text(name).partition("\n")[0]


def column_limit(tree: Tree) -> int:
    """The formatter's columns."""
    match = re.search(r"^ColumnLimit:\s*(\d+)", tree.text(".clang-format"), re.MULTILINE)
    if match is None:
        raise ValueError(".clang-format has no ColumnLimit")
    return int(match[1])


def columns(tree: Tree) -> Iterator[Problem]:
    """No line of C, Python or Markdown is longer than the formatter's; tables and links in Markdown may be."""
    limit = column_limit(tree)
    for name in tree.names:
        if not name.endswith((".c", ".h", ".md")) and not is_python(tree, name):
            continue
        in_fence = False
        for number, line in tree.numbered(name):
            if name.endswith(".md"):
                is_fence = line.lstrip().startswith("```")
                in_fence ^= is_fence
                if in_fence or is_fence or UNBREAKABLE.fullmatch(line):
                    continue
            if len(line) > limit:
                yield Problem(name, number, f"{len(line)} columns, of {limit}")


def openings(tree: Tree) -> Iterator[Problem]:
    """A C file opens with its name and what it is; no comment only names another file."""
    for name in tree.c_names:
        text = tree.text(name)
        own = name.rpartition("/")[2]
        match = re.match(rf"/\* ((?:[\w]+/)*{re.escape(own)}): (.*)", text)
        if not match or not name.endswith(match[1]):
            yield Problem(name, 1, f"opens with a comment that says what it is: /* {own}: ...")
        elif match[2].lower().startswith("see ") or len(re.findall(r"\w+", match[2])) < 3:
            yield Problem(name, 1, "the first sentence says what this file is")
        for number, comment in comments(text):
            if number > 1 and ONLY_SEE.fullmatch(comment):
                yield Problem(name, number, "a comment that only says where to look")


def paths(tree: Tree) -> Iterator[Problem]:
    """No path of one particular machine."""
    for name in tree.names:
        for number, line in tree.numbered(name):
            if MACHINE_PATH.search(line):
                yield Problem(name, number, "a path of one particular machine")


def lengths(tree: Tree) -> Iterator[Problem]:
    """Files and functions that are too long."""
    for name in tree.names:
        python = is_python(tree, name)
        if not python and not name.endswith((".c", ".h")):
            continue
        text = tree.text(name)
        if (length := text.count("\n")) > MAX_FILE:
            yield Problem(name, 1, f"{length} lines; two subjects in one file?")
        for line, length in python_functions(text) if python else c_functions(text):
            if length > MAX_FUNCTION:
                yield Problem(name, line, f"a function of {length} lines; two thoughts in one?")


def c_functions(text: str) -> Iterator[tuple[int, int]]:
    """(line, length) of the functions of a C file: braces that open at the outermost level after a `)`."""
    depth, start, line, before = 0, 0, 1, ""
    for char in code(text, directives=False):
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


def python_functions(text: str) -> Iterator[tuple[int, int]]:
    """(line, length) of the functions of a Python file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1
