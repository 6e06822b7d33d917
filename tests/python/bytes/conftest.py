"""Fixtures of the tests of byte streams, which run on one of each kind of framework."""

from __future__ import annotations

import sys

import anyio
import pytest

from support.kinds import MAIN_KINDS, kind_fixture

kind = kind_fixture(MAIN_KINDS)


@pytest.fixture
def with_anyio(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Un-hide anyio for anyio's streams: a program that has one has imported anyio."""
    monkeypatch.setitem(sys.modules, "anyio", anyio)
