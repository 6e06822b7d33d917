"""The kinds of frameworks on which tests are repeated, and the choice among them by pytest's option --kinds.

    asyncio              its loop and its tasks unchanged, in a program that has not imported anyio
    asyncio+debug        the loop in debug mode
    asyncio+pure         tasks of the implementation in Python
    asyncio+eager        tasks that begin at once; from 3.12 on
    asyncio+no-reader    a loop that cannot watch file descriptors, like those of Windows
    asyncio+anyio        as asyncio, in a program that has imported anyio, which the library checks
    uvloop, trio         unchanged
    anyio/asyncio        anyio on one of its two backends
    anyio/trio

A test that is repeated has the mark `kind` for the kind of each of its items. --kinds leaves out the items of the other
kinds; a test that is not repeated always runs. The option is a list of words with commas between them:

    --kinds=trio,anyio/trio    these
    --kinds='asyncio*'         those that match a pattern
    --kinds=one-each           one kind for each that has C code of its own
    --kinds=-uvloop,-anyio/*   all but these; after other words: these but not those
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import pytest

try:
    import uvloop
except ImportError:
    uvloop = None

KINDS = [
    "asyncio",
    "asyncio+debug",
    "asyncio+pure",
    "asyncio+eager",
    "asyncio+no-reader",
    "asyncio+anyio",
    "uvloop",
    "trio",
    "anyio/asyncio",
    "anyio/trio",
]
STRUCTURED_KINDS = ["trio", "anyio/asyncio", "anyio/trio"]
# For tests that need asyncio itself. In these kinds anyio was not imported, as far as the library can see.
ASYNCIO_KINDS = [kind for kind in KINDS if kind not in [*STRUCTURED_KINDS, "asyncio+anyio"]]
# For tests of what is built on awaiting, which is tested on all kinds: one for each that has C code of its own.
MAIN_KINDS = ["asyncio", "uvloop", "trio", "anyio/asyncio"]
# For tests of whole processes that run on asyncio: one for each way in which a loop is woken.
WAKE_KINDS = ["asyncio", "asyncio+no-reader", "uvloop"]
# The others go through the same C code as one of these; the code for anyio alone has test files of its own.
SETS = {"one-each": ["asyncio", "asyncio+eager", "asyncio+no-reader", "trio"]}


def is_here(kind: str) -> bool:
    """Whether the kind can run in this environment."""
    return {"uvloop": uvloop is not None, "asyncio+eager": sys.version_info >= (3, 12)}.get(kind, True)


def params(kinds: Iterable[str]) -> list[Any]:
    """Parameters for a test or a fixture: the kinds that exist for this Python, with the mark. uvloop is skipped if it
    is not installed."""
    no_uvloop = pytest.mark.skipif(uvloop is None, reason="there is no uvloop for this Python")
    return [
        pytest.param(kind, marks=[pytest.mark.kind(kind), *([no_uvloop] if kind == "uvloop" else [])])
        for kind in kinds
        if kind == "uvloop" or is_here(kind)
    ]


def each_kind(argument: str, kinds: Iterable[str]) -> pytest.MarkDecorator:
    """Repeat a test with each of the kinds as this argument."""
    return pytest.mark.parametrize(argument, params(kinds))


def kind_fixture(kinds: Iterable[str]) -> Any:
    """A fixture that gives each of the kinds, and hides anyio for the plain kinds of asyncio. A folder or a file of
    tests may replace the fixture of conftest.py by one of its own with the same name."""

    @pytest.fixture(params=params(kinds))
    def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        if request.param in ASYNCIO_KINDS:
            monkeypatch.delitem(sys.modules, "anyio", raising=False)
        return request.param

    return kind


# --- the option ---


def matching(word: str) -> list[str]:
    """The kinds that match a word of the option."""
    if found := SETS.get(word) or [kind for kind in KINDS if fnmatchcase(kind, word)]:
        return found
    raise pytest.UsageError(f"--kinds: there is no {word!r} among {', '.join([*KINDS, *SETS])}")


def choose(words: str) -> set[str]:
    """The kinds that the option's value chooses."""
    chosen: set[str] = set()
    for n, word in enumerate(words.split(",")):
        leaves_out = word.startswith("-")
        if leaves_out and n == 0:
            chosen = set(KINDS)
        found = matching(word.removeprefix("-"))
        chosen = chosen.difference(found) if leaves_out else chosen.union(found)
    return chosen


def is_chosen(item: pytest.Item, chosen: set[str]) -> bool:
    """Whether a test runs: not if its kind was not chosen."""
    return all(mark.args[0] in chosen for mark in item.iter_markers("kind"))
