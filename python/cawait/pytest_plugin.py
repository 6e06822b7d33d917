"""Runs the tests that extension modules carry (caw_test_add in cawait_testing.h) under pytest.

    # pytest.ini
    [pytest]
    cawait_tests = mymodule otherpackage._native

Each test is an item `mymodule::name`, which runs on a new loop of its own (--cawait-loop). The modules are imported,
from sys.path, when pytest is told of folders or of nothing; a run of single files or tests is of those alone. A module
named on the command line (--cawait-tests) is always there. A test that passes its time-out and does not stop when it is
told to may keep its loop, and so the run, from ending: there is only this one process.
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

LOOPS = ("asyncio", "uvloop", "trio")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings."""
    parser.addini("cawait_tests", "extension modules whose tests in C are run", type="args", default=[])
    group = parser.getgroup("cawait", "tests in C")
    group.addoption(
        "--cawait-tests",
        action="append",
        default=[],
        metavar="MODULE",
        help="an extension module whose tests in C are run; may be repeated",
    )
    group.addoption(
        "--cawait-loop",
        choices=LOOPS,
        default="asyncio",
        help="the loop that tests in C run on (default: %(default)s)",
    )
    group.addoption(
        "--cawait-timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="for each test in C; 0: for ever (default: %(default)s)",
    )


# --- running one ---


def run(kind: str, start: Any, timeout: float) -> None:
    """Run a test on a new loop."""

    async def main() -> None:
        coroutine: Coroutine[Any, Any, None] = start(timeout)
        await coroutine

    if kind == "trio":
        import trio

        trio.run(main)
        return
    import asyncio

    if kind == "asyncio":
        asyncio.run(main())
        return
    import uvloop

    if hasattr(asyncio, "Runner"):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    else:
        uvloop.install()
        try:
            asyncio.run(main())
        finally:
            asyncio.set_event_loop_policy(None)


class Test(pytest.Item):
    """One test in C."""

    def __init__(self, *, test: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.test = test

    def runtest(self) -> None:
        """Run it on a new loop of the kind that was asked for."""
        run(self.config.getoption("cawait_loop"), self.test.start, self.config.getoption("cawait_timeout"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What C says of its failure is all there is to know of it; other exceptions come with their traceback."""
        error = excinfo.value
        entries = inside(error.__traceback__)
        if isinstance(error, AssertionError) and error.__cause__ is None and not is_python(entries):
            return str(error)
        return "".join(traceback.format_exception(type(error), error, entries)).rstrip()

    def reportinfo(self) -> tuple[Path | str, int | None, str]:
        """Where it is written."""
        line = self.test.line - 1 if self.test.line > 0 else None
        return self.test.file or self.path, line, self.name


def inside(entries: TracebackType | None) -> TracebackType | None:
    """What of a traceback is the test's: all that comes after this file."""
    found = entries
    while entries:
        if entries.tb_frame.f_code.co_filename == __file__:
            found = entries.tb_next
        entries = entries.tb_next
    return found


def is_python(entries: TracebackType | None) -> bool:
    """Whether there is a file of Python in a traceback."""
    return any(frame.f_code.co_filename.endswith(".py") for frame, _ in traceback.walk_tb(entries))


# --- finding them ---


class Module(pytest.Collector):
    """The tests of one extension module."""

    def collect(self) -> Iterator[Test]:
        """Import the module; an item for each test."""
        try:
            module = importlib.import_module(self.name)
            tests = module.__cawait_tests__
        except (ImportError, AttributeError) as error:
            raise self.CollectError(f"{self.name}: {error}") from error
        for test in tests:
            yield Test.from_parent(self, name=test.name, test=test)


def of_single_files(config: pytest.Config) -> bool:
    """Whether pytest was told of files and tests, and of no folder."""
    given = [Path(config.invocation_params.dir, str(arg).partition("::")[0]) for arg in config.args]
    return bool(given) and not any(path.is_dir() for path in given)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the tests in C, before others choose among all."""
    names = list(config.getoption("cawait_tests"))
    if not of_single_files(config):
        names += config.getini("cawait_tests")
    for name in dict.fromkeys(names):
        items.extend(session.genitems(Module.from_parent(session, name=name, nodeid=name)))
