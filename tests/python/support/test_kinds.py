"""The option --kinds."""

from __future__ import annotations

import pytest

from support.kinds import KINDS, SETS, choose, is_chosen


@pytest.mark.parametrize(
    "words, chosen",
    [
        ("*", set(KINDS)),
        ("trio", {"trio"}),
        ("trio,uvloop", {"trio", "uvloop"}),
        ("anyio/*", {"anyio/asyncio", "anyio/trio"}),
        ("one-each", set(SETS["one-each"])),
        ("one-each,uvloop", {*SETS["one-each"], "uvloop"}),
        ("-trio,-uvloop", set(KINDS) - {"trio", "uvloop"}),
        ("-one-each", set(KINDS) - set(SETS["one-each"])),
        ("asyncio*,-asyncio+debug", {kind for kind in KINDS if kind.startswith("asyncio")} - {"asyncio+debug"}),
    ],
)
def test_words_choose_kinds(words: str, chosen: set[str]) -> None:
    assert choose(words) == chosen


@pytest.mark.parametrize("words", ["", "curio", "trio,", "-curio", "trio,asyncio+curio", "curio*"])
def test_word_that_stands_for_no_kind_is_a_usage_error_that_lists_them(words: str) -> None:
    with pytest.raises(pytest.UsageError, match="asyncio, .*anyio/trio, one-each"):
        choose(words)


def test_sets_are_of_kinds_that_there_are() -> None:
    assert all(set(kinds) <= set(KINDS) for kinds in SETS.values())


def test_item_has_the_mark_of_its_kind(request: pytest.FixtureRequest, kind: str) -> None:
    assert is_chosen(request.node, {kind}) and not is_chosen(request.node, set(KINDS) - {kind})


def test_test_that_is_not_repeated_runs_always(request: pytest.FixtureRequest) -> None:
    assert is_chosen(request.node, set())
