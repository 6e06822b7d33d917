"""Fixtures: modules that Cython has compiled, and a framework of each kind to run on.

`built` is the folders of the modules; m, thermometer and zlib_threads are these modules. go(async_fn, *args) calls the
function in a new loop of the framework, and returns what it gives.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cython_builds import BUILT, EXAMPLES, ROOT, Run, build  # noqa: E402

FRAMEWORKS = [name for name in ("asyncio", "trio", "uvloop") if importlib.util.find_spec(name)]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of the modules, each built by its own setup.py."""
    sources = [*(ROOT / "examples" / name for name in EXAMPLES), Path(__file__).parent / "modules"]
    if BUILT in os.environ:
        return {source.name: Path(os.environ[BUILT]) / source.name for source in sources}
    folder = tmp_path_factory.mktemp("built")
    return {source.name: build(source, folder) for source in sources}


def load(built: dict[str, Path], folder: str, name: str) -> ModuleType:
    """A module that was built."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, next(built[folder].glob(f"{name}.*.so")))
        assert spec and spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def m(built: dict[str, Path]) -> ModuleType:
    """The module of the tests."""
    return load(built, "modules", "everything")


@pytest.fixture
def thermometer(built: dict[str, Path]) -> ModuleType:
    """The example cython_callback."""
    return load(built, "cython_callback", "thermometer")


@pytest.fixture
def zlib_threads(built: dict[str, Path]) -> ModuleType:
    """The example cython_zlib."""
    return load(built, "cython_zlib", "zlib_threads")


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    """Each framework."""
    return str(request.param)


@pytest.fixture
def go(framework: str) -> Run:
    """Runs an async function to its end."""
    if framework == "trio":
        return importlib.import_module("trio").run  # type: ignore[no-any-return]

    async def call(function: Callable[..., Any], *args: Any) -> Any:
        return await function(*args)  # the call too is made in the loop, as it is by trio

    run_one = asyncio.run if framework == "asyncio" else importlib.import_module("uvloop").run
    return lambda function, *args: run_one(call(function, *args))
