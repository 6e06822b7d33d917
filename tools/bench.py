"""The benchmarks on each optimized CPython of this machine: `make bench`. Prints a table for each, and writes all rows
to build/bench.json.

    make bench ARGS='--python 3.14'              on this one, optimized or not
    make bench ARGS='--row wake_1000/sleep0'     one row (any part of a name will do)
    make bench ARGS='--quick'                    less of everything: to see that it works, not for figures
    build/venv/bin/python tools/bench.py --markdown    the rows of build/bench.json as README.md has them

Optimized is what was built with profile-guided optimization, as those are that people run: Debian's own 3.11, and what
`make pythons` brings. bench/built_as.py finds out. Where there is none, the interpreter of build/venv is measured, and
the table says that it is not optimized.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from build import RELEASE, meson_build
from common import BUILD, ROOT, Failure, heading, run, run_quietly
from interpreters import Interpreter, choose, discover, make_environment

KEPT = BUILD / "bench.json"
# The rows of README.md: what is compared -> the row, its variant, and what is shown of it.
ROWS = {
    "await of a C future that is ready, against an `async def` that returns at once": ("ready/async_def", "None"),
    "the same with an int as the value": ("ready/async_def", "int"),
    "1 000 tasks, completed by a thread, against `loop.run_in_executor`": ("wake_1000/run_in_executor", None),
    "the same, against taking the GIL and `call_soon_threadsafe` for each": ("wake_1000/call_soon_threadsafe", None),
    "the same, against `await asyncio.sleep(0)` without a thread": ("wake_1000/sleep0", None),
    "one at a time, against `call_soon_threadsafe`": ("wake_1/call_soon_threadsafe", None),
    "the producer's cost for a completion": ("produce/ns", None),
    "that cost while a Python thread hogs the GIL, against it without": ("produce_gil_hog/produce", None),
    "C awaits an `async def` that returns None at once, against Python doing it": ("await_py/async_def", "None"),
    "the same with an int as the value of it": ("await_py/async_def", "int"),
    "a coroutine in C around each of those, against an `async def` around each": ("await_py_wrap/async_def", None),
    "C awaits an `async def` that suspends once, against Python doing it": ("await_py_suspend/async_def", None),
    "a native thread has a coroutine run and waits for it, against a Python thread with `run_coroutine_threadsafe`": (
        "posted/run_coroutine_threadsafe",
        None,
    ),
    "a native thread calls Python 10 000 times, against taking the GIL and `call_soon_threadsafe` for each": (
        "call/call_soon_threadsafe",
        None,
    ),
    "`async for` over a channel that is full, against an async generator of Python, per item": (
        "stream/async_gen",
        None,
    ),
    "the same in lists of 64": ("stream_batch/async_gen", None),
    "the same in lists of 64, when each is iterated": ("stream_batch/async_gen", "lists iterated"),
    "a native thread sends to one task through 1 024 slots, against a Python thread and `janus.Queue`": (
        "stream_thread/janus",
        None,
    ),
    "the same, against a Python thread and `call_soon_threadsafe(queue.put_nowait, item)` without a bound": (
        "stream_thread/call_soon_threadsafe",
        "from a Python thread",
    ),
    "C adds up what an async generator of Python gives, in place, against `async for`": (
        "stream_from_py/async_gen",
        None,
    ),
    "on trio: 1 000 tasks, completed by a thread, against `trio.to_thread.run_sync`": ("wake_1000/to_thread", None),
    "on trio: the same, against taking the GIL and `TrioToken.run_sync_soon` for each": (
        "wake_1000/run_sync_soon",
        None,
    ),
    "on trio: the same, against `trio.lowlevel.checkpoint()` without a thread": ("wake_1000/checkpoint", None),
    "an async function in C awaits what is ready at once, against a coroutine of Python": ("async_c/coroutine", None),
    "`caw_all` of 1 000 operations that a thread completes, against `asyncio.gather` of 1 000 `sleep(0)`": (
        "all_1000/gather",
        None,
    ),
    "1 000 async functions in C through one mutex, against 1 000 tasks and an `asyncio.Lock`": (
        "mutex/asyncio_lock",
        "functions in C",
    ),
    "a server of async functions in C, against streams of asyncio: CPU time for a request": (
        "echo/asyncio_streams",
        "the server's CPU",
    ),
    "the same on uvloop": ("echo/uvloop_streams", "the server's CPU"),
    "`caw_all` of 1 000 000 sleeps, against `asyncio.gather`: time": ("sleep_1m/asyncio_sleep", "time"),
    "the same: memory": ("sleep_1m/asyncio_sleep", "memory"),
    "a suspended operation, without its task": ("memory/bytes", None),
}


def is_optimized(one: Interpreter) -> bool:
    """Whether it says that a profile guided its optimization."""
    return json.loads(run_quietly([one.path, ROOT / "bench" / "built_as.py"]))["optimized"] is True


def wanted(patterns: list[str]) -> list[Interpreter]:
    """The interpreters to measure on."""
    here = [one for one in discover() if not one.problem]
    if patterns:
        return choose(here, patterns)
    found = [one for one in here if is_optimized(one)]
    if not found:
        print("no CPython here is optimized by a profile, as those are that people run: `make pythons` brings some")
    return found or choose(here, ["venv"])


def measure(one: Interpreter, options: list[str]) -> list[dict[str, Any]]:
    """Build for an interpreter, measure, print the table; return the rows."""
    make_environment(one)
    # the same build as that of tools/count.py
    settings = {**RELEASE, "examples": "false", "python_exe": str(one.path)}
    modules = meson_build(one.folder / "release", settings) / "bench"
    rows = one.folder / "bench.json"
    rows.unlink(missing_ok=True)
    code = run([one.python, "bench/bench.py", "--json", rows, *options], {"PYTHONPATH": str(modules)})
    if code != 0:
        raise Failure(f"bench/bench.py ended with exit code {code}")
    return json.loads(rows.read_text())


def figure(row: dict[str, Any]) -> str:
    """What README.md shows of a row: the ratio, or our own figure where there is no baseline, in two digits."""
    value = row["ratio"] if row["ratio"] is not None else row["ours"]
    text = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 1.995 else f"{value:.2f}"
    return text if row["ratio"] is not None else f"{text} {row['unit']}"


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table with a column for each interpreter; a cell has the figures of asyncio and of uvloop."""
    versions = list(dict.fromkeys(row["python"] for row in rows))
    lines = [f"| | {' | '.join(versions)} |", "|---" * (len(versions) + 1) + "|"]
    for text, (name, variant) in ROWS.items():
        found = [row for row in rows if row["name"] == name and row["variant"] == variant]
        cells = [", ".join(figure(row) for row in found if row["python"] == version) or "-" for version in versions]
        if found:
            lines.append(f"| {text} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, write, and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="3.X", help="these interpreters")
    parser.add_argument("--row", metavar="NAME", help="only the rows whose name contains this")
    parser.add_argument("--quick", action="store_true", help="fewer operations, fewer runs")
    parser.add_argument("--json", metavar="FILE", type=Path, default=KEPT, help="default: build/bench.json")
    parser.add_argument("--markdown", action="store_true", help="only print what was measured before, for README.md")
    args = parser.parse_args()
    if args.markdown:
        print(markdown(json.loads(args.json.read_text())))
        return 0
    options = [*(["--row", args.row] if args.row else []), *(["--quick"] if args.quick else [])]
    rows: list[dict[str, Any]] = []
    chosen = wanted(args.python)
    if not chosen:
        sys.exit(f"no CPython here that can build extensions and is {' or '.join(args.python)}")
    for one in chosen:
        heading(f"CPython {one.name}: {one.path}")
        try:
            rows += measure(one, options)
        except Failure as failure:
            sys.exit(str(failure))
    args.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"\n{', '.join(one.name for one in chosen)}: written to {args.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
