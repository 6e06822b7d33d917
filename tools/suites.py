"""Run the suites of other projects on native coroutines: each `async def` of their tests is one (suites/native.py).

    build/venv/bin/python tools/suites.py [SUITE]... [--python 3.13] [--update] [-- pytest's own]

The suites are those of CPython (its installed test_coroutines, test_asyncgen, test_asyncio), of trio (which its package
carries) and of anyio (which its source package carries). What is known to fail stands in tests/suites/*.txt, with the
reason. A test that is not in the list and fails is a failure; so is one that is in the list and passes. A test that
fails also without our hook is counted as skipped: it is not our fault.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from build import meson_build, python_path
from common import BIN, BUILD, JOBS, RESULTS, ROOT, Failure, Row, heading, run, run_quietly, step, summary
from interpreters import Interpreter, discover, make_environment

FOLDER = ROOT / "tests" / "suites"
REQUIREMENTS = ROOT / "tools" / "requirements-suites.txt"
SERIES = "3.13"  # the suites are run on one CPython, for which the lists are
PYTEST = ["-m", "pytest", "-q", "--assert=plain", "--tb=line", "-p", "native", "-p", "no:cacheprovider", "-o"]
PYTEST += ["addopts=", "--timeout", "60", "-n", JOBS, "--dist", "worksteal", "--no-header", "-W", "ignore"]


@dataclass(frozen=True)
class Suite:
    """Where a suite is, and which of its modules are changed."""

    root: Callable[[Interpreter], Path]
    modules: str
    paths: tuple[str, ...]
    options: tuple[str, ...] = field(default=())


def library(interpreter: Interpreter) -> Path:
    """The folder of the interpreter's standard library."""
    code = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    return Path(run_quietly([interpreter.path, "-c", code]).strip())


def suites_python(interpreter: Interpreter) -> Path:
    """The Python of the environment that the suites need, which is made if it is not there."""
    folder = interpreter.folder / "suites"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + str(interpreter.path).encode()).hexdigest()
    stamp = folder / "stamp"
    python = folder / "bin" / "python"
    if not (stamp.exists() and stamp.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        run_quietly([interpreter.path, "-m", "venv", "--without-pip", folder])
        pip = [BIN / "python", "-m", "pip", "--python", python, "--disable-pip-version-check"]
        run_quietly([*pip, "install", "-q", "-r", REQUIREMENTS])
        stamp.write_text(wanted)
    return python


def packages(interpreter: Interpreter) -> Path:
    """The folder of the packages of that environment."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(run_quietly([suites_python(interpreter), "-c", code]).strip())


def anyio_source(interpreter: Interpreter) -> Path:
    """The unpacked source package of anyio, which is fetched if it is not there."""
    requirement = re.search(r"^anyio==.*$", REQUIREMENTS.read_text(), re.MULTILINE)
    if not requirement:
        raise Failure(f"no anyio in {REQUIREMENTS.name}")
    name = requirement[0].replace("==", "-")
    folder = BUILD / "suites"
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        fetch = [BIN / "python", "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps"]
        run_quietly([*fetch, "--no-binary", "anyio", "--dest", folder, requirement[0]])
        with tarfile.open(folder / f"{name}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return folder / name


SUITES = {
    "cpython": Suite(
        library,
        "test.test_coroutines test.test_asyncgen test.test_asyncio",
        ("test/test_coroutines.py", "test/test_asyncgen.py", "test/test_asyncio"),
        ("-c", "/dev/null"),
    ),
    "trio": Suite(
        packages,
        "trio._core._tests trio._tests",
        ("trio/_core/_tests", "trio/_tests"),
        ("-c", "/dev/null", "-p", "trio._tests.pytest_plugin", "--ignore-glob=*/tools", "--ignore-glob=*/type_tests")
        + ("--ignore=trio/_tests/test_exports.py",),  # of the package's own files, with tools that are not here
    ),
    "anyio": Suite(
        anyio_source,
        "tests",
        ("tests",),
        ("-p", "anyio", "-p", "no:asyncio", "-p", "no:trio", "-k", "not ipv6 and not uvloop"),
    ),
}


# --- what is expected ---


def expected(name: str) -> dict[str, str]:
    """The tests of the suite that are known to fail, with the reason: the comment above them."""
    found, reason = {}, ""
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        if line.startswith("#"):
            reason = line.removeprefix("#").strip()
        elif line.strip():
            found[line.strip()] = reason
    return found


def outcomes(report: Path) -> dict[str, str]:
    """The outcome of each test in a report of pytest: passed, failed or skipped."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        failed = case.find("failure") is not None or case.find("error") is not None
        outcome = "failed" if failed else "skipped" if case.find("skipped") is not None else "passed"
        if found.get(name) != "failed":  # a test may have a second entry, for its end
            found[name] = outcome
    return found


# --- a run ---


@dataclass
class Run:
    """One suite on one interpreter."""

    name: str
    interpreter: Interpreter
    pytest_args: list[str]

    def tests(self, native: bool, chosen: list[str]) -> dict[str, str]:
        """Run the suite, or the tests whose names are chosen, with or without the hook."""
        suite = SUITES[self.name]
        report = RESULTS / f"suite-{self.name}{'' if native else '-plain'}{'-again' if chosen else ''}.xml"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        folder = meson_build(
            self.interpreter.folder / "meson-default",
            {"python": "enabled", "python_exe": str(self.interpreter.python), "reactor": "default"},
            {},
        )
        env = {
            "PYTHONPATH": f"{python_path(folder)}:{FOLDER}",
            "CAWAIT_SUITES": suite.modules if native else "",
        }
        root = suite.root(self.interpreter)
        only = ["-k", " or ".join(sorted({re.split(r"::|\[", one)[1] for one in chosen}))] if chosen else []
        command = [suites_python(self.interpreter), *PYTEST, f"--rootdir={root}", f"--junitxml={report}"]
        code = run([*command, *suite.options, *only, *self.pytest_args, *suite.paths], env, cwd=root)
        if not report.exists() or code not in (0, 1):  # 1: tests have failed
            raise Failure(f"pytest ended with exit code {code} ")
        return outcomes(report)

    def again(self, unexpected: list[str]) -> list[str]:
        """Those that fail once more, and only with the hook."""
        second = self.tests(True, unexpected)
        still = [name for name in unexpected if second.get(name, "failed") == "failed"]
        plain = self.tests(False, still) if still else {}
        return [name for name in still if plain.get(name) == "passed"]

    def __call__(self) -> Row:
        """The row of the summary."""
        found, known = self.tests(True, []), expected(self.name)
        failed = [name for name, outcome in found.items() if outcome == "failed"]
        unexpected = [name for name in failed if name not in known]
        ours = self.again(unexpected) if unexpected else []
        passes = [name for name in known if found.get(name) == "passed"]
        for name in ours:
            print(f"fails, only on native coroutines: {name}")
        for name in passes:
            print(f"passes, but {FOLDER.name}/{self.name}.txt expects it to fail: {name}")
        skipped = list(found.values()).count("skipped") + len(unexpected) - len(ours)
        right = len(found) - skipped - len(ours) - len(passes)
        note = f"{sum(name in known for name in failed)} fail as expected"
        return Row("", right, len(ours) + len(passes), skipped, note=note)


def main() -> int:
    """Run the chosen suites and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--python", default=SERIES, metavar="3.X", help="another CPython than that of the lists")
    parser.add_argument("--results", default="suites", help="the name under which the counts are kept")
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    args = parser.parse_args(arguments[:split])
    if unknown := [name for name in args.suites if name not in SUITES]:
        parser.error(f"no suite {', '.join(unknown)}; there are {', '.join(SUITES)}")
    usable = [one for one in discover() if one.name.startswith(args.python) and not one.problem]
    heading("interpreters")
    if not usable or not (library(usable[-1]) / "test" / "test_coroutines.py").exists():
        print(f"no CPython {args.python} here that carries its own tests: SKIPPED")
        return summary(args.results, [Row("suites", skipped=1, note="no CPython that carries its own tests")])
    print(f"{usable[-1].name:<10} {usable[-1].path}")
    make_environment(usable[-1])
    chosen = {name: partial(Run(name, usable[-1], arguments[split + 1 :])) for name in args.suites or SUITES}
    return summary(args.results, [step(f"suite of {name}", action) for name, action in chosen.items()])


if __name__ == "__main__":
    sys.exit(main())
