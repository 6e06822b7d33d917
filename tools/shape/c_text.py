"""C text as the rules need it: its comments, its code, and what a file declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

COMMENT = r"/\*.*?\*/|//[^\n]*"
LITERAL = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
DIRECTIVE = r"^[ \t]*#(?:\\\n|[^\n])*"
TOKEN = re.compile(r"\w+|[^\w\s]")
MACRO = re.compile(r"[A-Z][A-Z0-9_]+")


@dataclass(frozen=True)
class Declaration:
    """A function or an object, at the outermost level of a file, that is not static."""

    name: str
    line: int
    words: tuple[str, ...]  # its tokens
    has_body: bool  # a function that is defined here


def blanked(match: re.Match[str]) -> str:
    """As many lines, all empty."""
    return "\n" * match[0].count("\n")


def code(text: str, directives: bool = True) -> str:
    """The text without comments and the content of literals, line by line; also without directives where that is
    False."""
    text = re.sub(
        f"({COMMENT})|{LITERAL}",
        lambda match: blanked(match) or " " if match[1] else match[0][0] * 2,
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    return text if directives else re.sub(DIRECTIVE, blanked, text, flags=re.MULTILINE)


def comments(text: str) -> Iterator[tuple[int, str]]:
    """(line, text without the stars) of each comment."""
    for match in re.finditer(f"({COMMENT})|{LITERAL}", text, re.DOTALL):
        if match[1]:
            words = re.sub(r"^\s*\*", "", match[1].strip("/*"), flags=re.MULTILINE)
            yield text.count("\n", 0, match.start()) + 1, " ".join(words.split())


def statements(text: str) -> Iterator[tuple[int, list[str], bool]]:
    """(line, tokens, whether it has a body) of each statement at the outermost level, without the text in braces."""
    depth, line, parentheses = 0, 0, 0
    tokens: list[str] = []
    for number, row in enumerate(code(text, directives=False).split("\n"), 1):
        for token in TOKEN.findall(row):
            if token == "{":
                is_body = depth == 0 and parentheses == 0 and tokens[-1:] == [")"]
                depth += 1
                if is_body:
                    yield line, tokens, True
                    tokens = []
            elif token == "}":
                depth -= 1
            elif depth == 0 and token == ";" and parentheses == 0:
                yield line, tokens, False
                tokens = []
            elif depth == 0:
                parentheses += (token == "(") - (token == ")")
                line = line if tokens else number
                tokens.append(token)
                if len(tokens) == 1 and is_marker(token):
                    tokens = []


def is_marker(token: str) -> bool:
    """Whether this is a macro on a line of its own, such as CAW__INTERNAL_BEGIN, and no statement."""
    return token.endswith(("_BEGIN", "_END", "_DECLS")) and MACRO.fullmatch(token) is not None


def declared_names(words: list[str]) -> Iterator[str]:
    """The names that a statement declares; none for types and for static names."""
    if {"typedef", "static", "_Static_assert", "static_assert"} & set(words) or not words:
        return
    while MACRO.fullmatch(words[0]) and words[1:]:  # such as CAW_API
        words = words[1:]
    if "=" in words:
        words = words[: words.index("=")]
    parts: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += (word in "([") - (word in ")]")
        if word == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(word)
    if len(parts[0]) < 2 + (parts[0][:1] in (["struct"], ["union"], ["enum"])):
        return  # a type that is defined or declared
    for part in parts:
        if name := declarator_name(part):
            yield name


def declarator_name(words: list[str]) -> str | None:
    """The name in `int *f(void)`, `int a[2]` or `int (*hook)(int)`."""
    if "(" in words:
        start = words.index("(")
        if words[start + 1 : start + 2] == ["*"]:
            return next((word for word in words[start + 2 :] if word.isidentifier()), None)
        words = words[:start]
    elif "[" in words:
        words = words[: words.index("[")]
    return words[-1] if words and words[-1].isidentifier() else None


def declarations(text: str) -> Iterator[Declaration]:
    """What a file declares at its outermost level without `static`: functions and objects."""
    for line, words, has_body in statements(text):
        for name in declared_names(words):
            yield Declaration(name, line, tuple(words), has_body)


def first_lines(text: str, words: set[str]) -> dict[str, int]:
    """The first line of the code that has each word; no entry for words that are missing."""
    found: dict[str, int] = {}
    for number, line in enumerate(code(text).split("\n"), 1):
        for token in words.intersection(TOKEN.findall(line)):
            found.setdefault(token, number)
    return found
