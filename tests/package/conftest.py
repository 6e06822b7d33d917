"""The package as its users have it: from the built wheel, in environments of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from users import DIST, PYTHONS, Environment


collect_ignore = ["cython"]  # test_cython.py runs it elsewhere


@pytest.fixture(params=PYTHONS, ids=lambda path: re.sub(r".*/versions/([^/]+)/.*", r"\1", path))
def python(request: pytest.FixtureRequest) -> str:
    """Each interpreter."""
    return request.param


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The wheel of cawait."""
    (found,) = DIST.glob("cawait-*.whl")
    return found


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """An environment of the first interpreter with cawait, which no test changes."""
    made = Environment(tmp_path_factory.mktemp("an environment") / "venv", PYTHONS[0])
    made.install(wheel)
    return made
