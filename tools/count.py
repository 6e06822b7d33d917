"""Count the instructions that operations cost, and compare the counts with those kept in bench/counts.json.

    make bench-count                           the interpreters of the gate
    make bench-count ARGS='--python 3.12'      others; ARGS=--all: all of this machine
    make bench-count ARGS='--all --update'     keep what was counted

bench/count_rows.py says what is counted, and how. "all" is what the process executes for an operation, including
CPython and the C library. "own" is the part of it in the extension: cawait, and a few lines of the benchmark. Where
asyncio costs twenty times as much as cawait, only "own" shows a change of cawait. But it does not show the calls into
CPython that a change adds.

A row fails when a count differs from the kept one by more than TOLERANCE, also when it is lower: with a kept count that
is too high, a later change could lose the gain unseen. It also fails above its goal, where it has one (GOALS). Counts
hold for one build of an interpreter, one compiler and one C library (`made_with`). With another one nothing is
compared, and the rows are skipped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from build import RELEASE, meson_build
from common import JOBS, ROOT, Failure, Row, step, summary
from interpreters import Interpreter, choose, discover
from rich.console import Console
from rich.table import Table

GATE = ("3.11.7", "3.12.1", "3.13.0")
# Awaits differently from those: by am_send. But which build is here depends on the day of `make pythons`; it is a part
# of the gate where its counts are kept.
GATE_IF_KEPT = ("3.15.",)
TOLERANCE = {"all": 0.03, "own": 0.1}
# No more than so many instructions in all, whatever is kept.
GOALS = {"async function in C, await": 40, "async function in C, suspend and resume": 110}
LAYOUTS = 4  # of memory: the lowest count is taken, the one with the fewest collisions
KEPT = ROOT / "bench" / "counts.json"
SECTIONS = 3  # for each row
MODULE = "_cawait_bench"
# No other settings, because the environment is in memory too; and the C library's functions for any x86-64.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-BMI2,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2",
}


@dataclass
class Count:
    """Instructions of one operation."""

    all: float
    own: float


@dataclass
class Counts:
    """All rows of one interpreter, and the build that they hold for."""

    made_with: str
    rows: dict[str, Count]

    @classmethod
    def of_json(cls, kept: dict[str, Any]) -> Counts:
        """Read them from the file's JSON."""
        return cls(kept["made_with"], {name: Count(**count) for name, count in kept["rows"].items()})


# --- counting ---


def need_valgrind() -> str:
    """The path of valgrind."""
    found = shutil.which("valgrind")
    if found is None:
        raise Failure("valgrind, which counts the instructions, is not installed: apt-get install -y valgrind")
    return found


def output(command: Sequence[str | Path], env: dict[str, str] = ENVIRONMENT) -> str:
    """The output of a command, in an environment that is always the same."""
    done = subprocess.run(list(map(str, command)), env=env, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))} failed with exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def section(file: Path) -> Count:
    """The counts that callgrind wrote down at one mark: a file in the Callgrind Profile Format.

    "ob=(3) path" names the binary that the lines after it belong to, with the path only the first time. The line after
    "calls=" is the cost of the called function, which is counted with that function."""
    names: dict[str, str] = {}
    count, ours = Count(0, 0), False
    with file.open() as lines:
        for line in lines:
            key, _, rest = line.partition("=")
            if key in ("ob", "cob"):
                number, _, name = rest.strip().partition(" ")
                names.setdefault(number, name)
                ours = MODULE in names[number] if key == "ob" else ours
            elif key == "calls":
                next(lines)
            elif line.startswith("summary:"):
                count.all = int(line.split()[1])
            elif ours and line[0] in "0123456789+-*":
                count.own += int(line.split()[1])
    return count


def count_in_layout(interpreter: Interpreter, modules: Path, layout: int) -> tuple[str, dict[str, Count]]:
    """Run the rows once; return how the extension was built, and the counts."""
    with tempfile.TemporaryDirectory(prefix="count-") as folder:
        valgrind = [need_valgrind(), "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/section"]
        program = [interpreter.path, "-S", "-s", "bench/count_rows.py", str(layout)]
        env = {**ENVIRONMENT, "PYTHONPATH": str(modules.relative_to(ROOT))}
        said = json.loads(output([*valgrind, "--dump-before=bench_mark*", *program], env))
        counts = {}
        for index, row in enumerate(said["rows"]):
            once, twice = (section(Path(folder, f"section.{SECTIONS * index + which}")) for which in (2, 3))
            n = row["operations"]
            counts[row["name"]] = Count((twice.all - once.all) / n, (twice.own - once.own) / n)
    return said["build"], counts


def count(interpreter: Interpreter) -> Counts:
    """Build for an interpreter, and count."""
    options = {**RELEASE, "examples": "false", "python_exe": str(interpreter.path)}
    modules = meson_build(interpreter.folder / "release", options) / "bench"
    with ThreadPoolExecutor(int(JOBS)) as pool:
        layouts = list(pool.map(partial(count_in_layout, interpreter, modules), range(LAYOUTS)))
    rows = {
        name: Count(*(round(min(getattr(counts[name], key) for _, counts in layouts), 1) for key in ("all", "own")))
        for name in layouts[0][1]
    }
    built = output([interpreter.path, "-S", "bench/built_as.py", "--count"]).strip()
    return Counts(f"{built}; cawait: {layouts[0][0]}", rows)


# --- kept counts ---


def read_kept() -> dict[str, Counts]:
    """The kept counts of each interpreter."""
    found = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return {name: Counts.of_json(kept) for name, kept in found.items()}


def write_kept(kept: dict[str, Counts]) -> None:
    """Write the kept counts, one row on a line."""
    parts = []
    for name, counts in sorted(kept.items(), key=lambda item: [int(word) for word in item[0].rstrip("td").split(".")]):
        rows = ",\n".join(f"   {json.dumps(row)}: {json.dumps(vars(one))}" for row, one in counts.rows.items())
        made_with = json.dumps(counts.made_with)
        parts.append(f' {json.dumps(name)}: {{\n  "made_with": {made_with},\n  "rows": {{\n{rows}\n  }}\n }}')
    KEPT.write_text("{\n" + ",\n".join(parts) + "\n}\n")


@dataclass
class Compared:
    """One row, with its kept count."""

    name: str
    now: Count
    kept: Count | None

    def change(self, key: str) -> float | None:
        """The change, as a fraction of the kept count."""
        return getattr(self.now, key) / getattr(self.kept, key) - 1 if self.kept else None

    @property
    def goal(self) -> int | None:
        """The most instructions that it may cost, where it has a goal."""
        return GOALS.get(self.name)

    @property
    def problem(self) -> str:
        """Why the row fails, or an empty text."""
        if self.goal is not None and self.now.all > self.goal:
            return "more than its goal"
        changes = [(self.change(key), limit) for key, limit in TOLERANCE.items()]
        if any(change is None for change, _ in changes):
            return "not kept"
        if any(change > limit for change, limit in changes):
            return "costs more"
        return "costs less" if any(change < -limit for change, limit in changes) else ""


def compared(now: Counts, kept: Counts | None) -> Iterator[Compared]:
    """All rows, each with its kept count."""
    for name, one in now.rows.items():
        yield Compared(name, one, kept.rows.get(name) if kept else None)


# --- output ---


def percent(change: float | None) -> str:
    """A change, or a dash."""
    return "-" if change is None else f"{change:+.1%}"


def table(title: str, rows: list[Compared], judged: bool) -> Table:
    """The rows of one interpreter."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("row", no_wrap=True)
    for heading in ("all", "kept", "change", "own", "kept", "change"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("goal", justify="right", no_wrap=True)
    shown.add_column("verdict")
    for row in rows:
        cells = []
        for key in ("all", "own"):
            now, kept = getattr(row.now, key), getattr(row.kept, key, None)
            cells += [f"{now:,.1f}", "-" if kept is None else f"{kept:,.1f}", percent(row.change(key))]
        verdict = "skipped" if not judged else f"[bold red]{row.problem}[/]" if row.problem else "[green]ok[/]"
        shown.add_row(row.name, *cells, f"≤ {row.goal}" if row.goal else "-", verdict)
    return shown


def check(interpreter: Interpreter, update: bool = False) -> Row:
    """Count, print the table, and keep the counts or compare them."""
    now, kept = count(interpreter), read_kept()
    if update:
        write_kept({**kept, interpreter.name: now})
    before = kept.get(interpreter.name)
    same = before is not None and before.made_with == now.made_with
    rows = list(compared(now, before if same or update else None))
    console = Console() if sys.stdout.isatty() else Console(width=128)
    console.print(table(f"instructions of one operation, CPython {interpreter.name}", rows, same and not update))
    print(f"made with {now.made_with}", flush=True)
    if update:
        return Row("", passed=len(rows), note="written to bench/counts.json")
    if not same:
        print(f"SKIPPED: the kept counts are of {before.made_with}" if before else "SKIPPED: no counts are kept")
        return Row("", skipped=len(rows), note="no kept counts for this build of the interpreter")
    failed = sum(bool(row.problem) for row in rows)
    if any(row.problem in ("not kept", "costs less") for row in rows):
        print("What costs less, or is new, has to be kept: make bench-count ARGS='--all --update'")
    return Row("", passed=len(rows) - failed, failed=failed)


def of_gate() -> list[str]:
    """The interpreters of the gate."""
    return [*GATE, *(name for name in read_kept() if name.startswith(GATE_IF_KEPT) and name not in GATE)]


def gate() -> Row:
    """The interpreters of the gate: one row for all of them."""
    chosen = [one for one in discover() if one.name in of_gate() and not one.problem]
    rows = [check(one) for one in chosen]
    missing = [name for name in GATE if name not in {one.name for one in chosen}]
    note = f"not here: {', '.join(missing)}" if missing else ""
    passed, failed, skipped = (sum(getattr(row, key) for row in rows) for key in ("passed", "failed", "skipped"))
    return Row("", passed, failed, skipped + len(missing), note=note)


def main() -> int:
    """Count the chosen interpreters and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="3.X", help="only these interpreters")
    parser.add_argument("--all", action="store_true", help="all interpreters of this machine")
    parser.add_argument("--update", action="store_true", help="keep what was counted")
    args = parser.parse_args()
    patterns = args.python or ([] if args.all else of_gate())
    chosen = [one for one in choose(discover(), patterns) if not one.problem]
    if not chosen:
        sys.exit(f"no CPython here that can build extensions{' and is ' + ' or '.join(patterns) if patterns else ''}")
    return summary("count", [step(f"Python {one.name}", partial(check, one, args.update)) for one in chosen])


if __name__ == "__main__":
    sys.exit(main())
