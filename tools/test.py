"""Build and run every test: the C tests once, the Python tests on every CPython >= 3.10 of this machine.

    build/venv/bin/python tools/test.py [--python 3.12] [--only KIND] [--sanitize address|thread] [-- pytest's own]

PYTHON is a whole name (3.14.10d), a series (3.14, 3.15d), the first numbers of a version, or venv: that of build/venv.

Kinds of runs: c (the C tests), python (each interpreter), portable (C and Python tests with the portable reactor),
joined (the extension built from the joined source by setuptools). Each run is one row, and the last line is the sum. Of
two interpreters of one series, such as 3.11.2 and 3.11.7, one gets the portable build and the other the joined one.

The oldest and the newest interpreter and what --python names run on every kind of framework; those in between and the
portable build on one of each kind that has C code of its own and on uvloop, which is compiled for each; the joined
source on one of each kind; those with Py_DEBUG, which are slow, on asyncio and trio.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import sanitizers
from build import joined_build, meson_build, python_path, run_c_tests
from common import BUILD, JOBS, ONE_OF_EACH_KIND, RESULTS, Row, heading, junit_row, run, step, summary
from foreign_loops import make_loops
from interpreters import Interpreter, choose, discover, make_environment, make_environments

KINDS = ("c", "python", "portable", "joined")
IN_BETWEEN = (f"{ONE_OF_EACH_KIND[0]},uvloop",)
WITH_DEBUG = ("--kinds=asyncio,trio",)
# one worker more than cores: a quarter of the tests' time is waiting, for children and for each other's threads
WORKERS = str(int(JOBS) + 1)
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "240", "-n", WORKERS, "--dist", "worksteal"]


class Runs:
    """The runs of one call of this tool; a sanitizer gives build folders and settings of their own."""

    def __init__(self, sanitize: str, pytest_args: list[str]) -> None:
        self.sanitize = sanitize
        self.pytest_args = pytest_args
        self.suffix = f"-{sanitize}" if sanitize else ""

    def c_tests(self, reactor: str, suites: list[str]) -> Row:
        """Build without Python and run the C tests."""
        name = "c" if reactor == "default" else f"c-{reactor}"
        options = {"python": "disabled", "reactor": reactor, **sanitizers.options(self.sanitize)}
        folder = meson_build(BUILD / f"{name}{self.suffix}", options, sanitizers.build_environment(self.sanitize))
        chosen = [f"--suite={suite}" for suite in suites] + (["--timeout-multiplier=5"] if self.sanitize else [])
        return run_c_tests(folder, chosen, sanitizers.c_environment(self.sanitize), sanitizers.wrapper(self.sanitize))

    def modules(self, interpreter: Interpreter, reactor: str) -> Path:
        """Build the extension modules for an interpreter with Meson; return the build folder."""
        options = {"python": "enabled", "python_exe": str(interpreter.python), "reactor": reactor}
        name = f"meson-{reactor}{self.suffix}"
        options |= sanitizers.options(self.sanitize)
        return meson_build(interpreter.folder / name, options, sanitizers.build_environment(self.sanitize))

    def python_tests(self, interpreter: Interpreter, reactor: str, chosen: Sequence[str] = ()) -> Row:
        """Build for an interpreter with Meson and run the Python tests, or those that are chosen."""
        note = "; ".join(filter(None, [make_environment(interpreter), make_loops(interpreter)]))
        folder = self.modules(interpreter, reactor)
        return self.pytest(interpreter, python_path(folder), f"{interpreter.name}-{folder.name}", note, chosen)

    def joined_tests(self, interpreter: Interpreter) -> Row:
        """Build the joined source with setuptools and run the Python tests; the examples are built by Meson."""
        note = make_environment(interpreter)
        folder = joined_build(interpreter.folder / "joined", interpreter.python)
        examples = self.modules(interpreter, "default")
        modules = f"{folder}:{python_path(examples)}"
        return self.pytest(interpreter, modules, f"{interpreter.name}-joined", note, ONE_OF_EACH_KIND)

    def pytest(
        self, interpreter: Interpreter, modules: str, name: str, note: str, chosen: Sequence[str] = ()
    ) -> Row:
        """Run the Python tests, or those that are chosen, with these modules."""
        report = RESULTS / f"pytest-{name}.xml"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        found_in = RESULTS / f"sanitizer-{name}"
        sanitizers.take_reports(found_in)  # removes those of an earlier run
        env = {"PYTHONPATH": modules, **sanitizers.python_environment(self.sanitize, found_in)}
        options = [*PYTEST, f"--junitxml={report}", *chosen, *self.pytest_args]
        row = junit_row(report, run([str(interpreter.python), *options, "tests/python"], env))
        if found := sanitizers.take_reports(found_in):
            print(found)
            row.failed, row.note = row.failed + 1, "see the sanitizer's report above"
        row.note = "; ".join(filter(None, [row.note, note]))
        return row


def wanted(patterns: list[str]) -> list[Interpreter]:
    """The interpreters to use: all, or those that the patterns name. Prints which are left out."""
    found = choose(discover(), patterns)
    heading("interpreters")
    for one in found:
        print(f"{one.name:<10} {one.path}{': SKIPPED, it ' + one.problem if one.problem else ''}")
    usable = [one for one in found if not one.problem]
    if not usable:
        sys.exit(f"no CPython here that can build extensions{' and is ' + ' or '.join(patterns) if patterns else ''}")
    return usable


def the_main_one(interpreters: list[Interpreter]) -> Interpreter:
    """The interpreter for the runs that need only one: that of build/venv, or else the newest."""
    mine = [one for one in interpreters if one.path == Path(sys.executable).resolve()]
    return mine[0] if mine else interpreters[-1]


def its_twin(interpreters: list[Interpreter]) -> Interpreter | None:
    """Another interpreter of the main one's series, if there is one here."""
    main_one = the_main_one(interpreters)
    return next((one for one in interpreters if one.series == main_one.series and one is not main_one), None)


def by_default(interpreters: list[Interpreter], kinds: Sequence[str]) -> list[Interpreter]:
    """The interpreters for the runs with the default build.

    The main one and its twin are left out if one of them runs the portable reactor and the other the joined source:
    more runs of one series would take minutes and show nothing new.
    """
    twin = its_twin(interpreters)
    if not twin or not {"portable", "joined"} <= set(kinds):
        return interpreters
    return [one for one in interpreters if one not in (twin, the_main_one(interpreters))]


def kinds_to_run(interpreter: Interpreter, among: list[Interpreter], named: bool) -> Sequence[str]:
    """The choice of kinds of frameworks for the default build, as an option of pytest."""
    optimized = [one for one in among if not one.is_debug]
    if interpreter.is_debug:
        return WITH_DEBUG
    return () if named or interpreter in (optimized[0], optimized[-1]) else IN_BETWEEN


def main() -> int:
    """Do the chosen runs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="3.X", help="only these interpreters")
    parser.add_argument("--only", action="append", choices=KINDS, help="only these kinds of runs")
    parser.add_argument("--suite", action="append", default=[], help="only these suites of the C tests")
    parser.add_argument("--sanitize", choices=("address", "thread"), default="")
    parser.add_argument("--results", default="test", help="the name under which the counts are kept")
    parser.add_argument("pytest_args", nargs="*", metavar="-- pytest's own")
    args = parser.parse_args()
    kinds = args.only or KINDS
    runs = Runs(args.sanitize, args.pytest_args)
    interpreters = wanted(args.python) if set(kinds) - {"c"} else []
    if interpreters:
        make_environments(interpreters if "python" in kinds else [the_main_one(interpreters)])
    steps: dict[str, Callable[[], Row]] = {}
    if "c" in kinds:
        steps["C tests"] = partial(runs.c_tests, "default", args.suite)
    if "portable" in kinds:
        steps["C tests, portable reactor"] = partial(runs.c_tests, "portable", args.suite)
    chosen = by_default(interpreters, kinds) if "python" in kinds else []
    for one in chosen:
        its_kinds = kinds_to_run(one, chosen, bool(args.python))
        steps[f"Python {one.name}"] = partial(runs.python_tests, one, "default", its_kinds)
    if "portable" in kinds:
        main_one = the_main_one(interpreters)
        steps[f"Python {main_one.name}, portable reactor"] = partial(
            runs.python_tests, main_one, "portable", () if args.python else IN_BETWEEN
        )
    if "joined" in kinds:
        joined_one = its_twin(interpreters) or the_main_one(interpreters)
        steps[f"Python {joined_one.name}, joined source"] = partial(runs.joined_tests, joined_one)
    what = {"address": "ASan ", "thread": "TSan "}.get(args.sanitize, "")
    return summary(args.results, [step(what + name, action) for name, action in steps.items()])


if __name__ == "__main__":
    sys.exit(main())
