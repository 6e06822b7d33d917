"""Cython with the installed package: the tests in cython/ are run in an environment that has it, on the newest."""

from __future__ import annotations

import re
from pathlib import Path

from users import PYTHONS, Environment

TESTS = Path(__file__).with_name("cython")


def test_tests_of_cython_pass_with_the_installed_package(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", PYTHONS[-1])
    environment.install("cawait", "Cython", "pytest", "setuptools", "trio")
    options = ["-q", "-p", "no:cacheprovider", "-c", TESTS / "pytest.ini"]
    said = environment("-m", "pytest", *options, TESTS, cwd=tmp_path)
    passed = re.search(r"(\d+) passed", said)
    assert passed and int(passed[1]) >= 70, said
