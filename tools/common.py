"""What the tools share: paths, running commands, and counting results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Everything that is made is here. `make BUILD=/elsewhere` names another folder: the tree may be read-only.
BUILD = Path(os.path.abspath(ROOT / (os.environ.get("CAWAIT_BUILD") or "build")))
BUILD_MARK = "cawait-build"  # a file in it: `make clean` removes only what has one
RESULTS = BUILD / "results"
VENV = BUILD / "venv"
BIN = VENV / "bin"
JOBS = str(min(os.cpu_count() or 1, 8))
# pytest's options for a further build of what is tested on every kind of framework elsewhere: one of the kinds that go
# through the same C code is enough (tests/python/support/kinds.py).
ONE_OF_EACH_KIND = ("--kinds=one-each",)
OFFLINE = """\
Only this needs the network, and once: packages of PyPI and of Debian for the demo, the tests and the benchmarks. The
library needs none of them: `python3 tools/amalgamate FOLDER` writes cawait.c and cawait.h, without network."""


class Failure(Exception):
    """Why a step cannot go on."""


@dataclass
class Row:
    """One run, as a row of the summary."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    note: str = ""


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child: no PYTHON* settings, the tools of build/venv first on PATH, the folder BUILD."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env["PATH"] = f"{BIN}{os.pathsep}{env.get('PATH', os.defpath)}"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env["CAWAIT_BUILD"] = str(BUILD)
    env.update(changes or {})
    return env


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> int:
    """Run a command with its output in the terminal; return its exit code (negative: the signal that ended it)."""
    sys.stdout.flush()
    return subprocess.run([str(word) for word in command], env=environment(env), cwd=cwd).returncode


def run_quietly(command: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Run a command and return its output; when it fails, raise Failure with all of it."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=environment(env), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        name = " ".join([Path(words[0]).name, *(word for word in words[1:2] if not word.startswith("-"))])
        line = textwrap.shorten(" ".join(words), 500, placeholder=" ...")
        raise Failure(f"{name} failed with exit code {done.returncode}\n{line}\n{done.stdout}")
    return done.stdout


def heading(text: str) -> None:
    """Start a step in the output."""
    print(f"\n== {text}", flush=True)


def step(name: str, action: Callable[[], Row]) -> Row:
    """Do one step under a heading. If it raises, the row is a failed one, and the next step still runs."""
    heading(name)
    start = time.monotonic()
    try:
        row = action()
    except Failure as failure:
        print(failure, flush=True)
        row = Row(name, failed=1, note=str(failure).splitlines()[0])
    row.name = name
    row.seconds = time.monotonic() - start
    print(f"-- {name}: {total([row])}; {row.seconds:.0f} s", flush=True)
    return row


def junit_row(report: Path, exit_code: int) -> Row:
    """Count a JUnit report. A runner that fails without naming a failed test (a crash, say) counts as one failure."""
    row = Row(report.stem)
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                row.failed += 1
            elif case.find("skipped") is not None:
                row.skipped += 1
            else:
                row.passed += 1
    if exit_code == 0 and row.passed + row.skipped == 0:
        row.failed, row.note = 1, "no test ran"
    elif exit_code != 0 and row.failed == 0:
        row.failed, row.note = 1, f"the runner ended with exit code {exit_code}"
    return row


def total(rows: Iterable[Row]) -> str:
    """The sum of all rows, in the words of the runners."""
    rows = list(rows)
    passed, failed, skipped = (sum(getattr(row, key) for row in rows) for key in ("passed", "failed", "skipped"))
    return f"{passed} passed, {failed} failed, {skipped} skipped"


def summary(kind: str, rows: list[Row]) -> int:
    """Print the table and the total, keep the rows for tools/totals.py, and return the exit code."""
    width = max([len(row.name) for row in rows] + [len("run")])
    print(f"\n{'run':<{width}}  passed  failed  skipped  seconds")
    for row in rows:
        counts = f"{row.passed:>6}  {row.failed:>6}  {row.skipped:>7}  {row.seconds:>7.1f}"
        print(f"{row.name:<{width}}  {counts}{'  ' + row.note if row.note else ''}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{kind}.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(f"\n{total(rows)}", flush=True)
    return 1 if not rows or any(row.failed for row in rows) else 0
