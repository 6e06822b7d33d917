"""The joined files say whose they are, and begin with Python's own header."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("cawait.c", "cawait.h", "cawait_testing.c", "cawait_testing.h")


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The four files, as the program writes them."""
    folder = tmp_path_factory.mktemp("joined")
    arguments, sys.argv = sys.argv, ["amalgamate", str(folder)]
    try:
        runpy.run_path(str(ROOT / "tools" / "amalgamate"), run_name="__main__")
    finally:
        sys.argv = arguments
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.mark.parametrize("name", FILES)
def test_each_file_carries_copyright_and_licence_in_its_first_lines(joined: dict[str, str], name: str) -> None:
    copyright = next(line for line in (ROOT / "LICENSE").read_text().splitlines() if line.startswith("Copyright"))
    first = joined[name].splitlines()[:6]
    assert f" * {copyright}" in first
    assert " * SPDX-License-Identifier: MIT" in first


def test_no_header_of_the_system_stands_before_python_h(joined: dict[str, str]) -> None:
    lines = joined["cawait.h"].splitlines()
    included = [line.split()[-1] for line in lines if line.lstrip("# ").startswith("include <")]
    assert included[0] == "<Python.h>"


def test_source_defines_gnu_source_as_pyconfig_does_and_only_if_nobody_did(joined: dict[str, str]) -> None:
    for name in ("cawait.c", "cawait_testing.c"):
        lines = [line for line in joined[name].splitlines() if "_GNU_SOURCE" in line]
        assert lines == ["#if defined(__linux__) && !defined(_GNU_SOURCE)", "#  define _GNU_SOURCE 1"]
