"""The benchmarks on one interpreter: prints a table, and writes the rows as JSON. Slow or fast, the exit code is 0.

`make bench` calls it for each optimized interpreter (tools/bench.py).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import _cawait_bench as native
import built_as
import rows_await
import rows_await_py
import rows_echo
import rows_many
import rows_memory
import rows_produce
import rows_stream
from measure import Row, uvloop
from rich.console import Console
from rich.table import Table


def of_trio(function: str) -> Callable[[bool], Iterator[Row]]:
    """A row that imports trio only when it runs: the rows before it are measured in a program without trio."""
    return lambda quick: getattr(importlib.import_module("rows_trio"), function)(quick)


TRIO_ROWS = {
    "wake_1000/checkpoint": of_trio("wake_1000_checkpoint"),
    "wake_1000/to_thread": of_trio("wake_1000_to_thread"),
    "wake_1000/run_sync_soon": of_trio("wake_1000_run_sync_soon"),
    "ready_beside_trio/async_def": of_trio("ready_beside_trio"),
}
ROWS: dict[str, Callable[[bool], Iterator[Row]]] = {
    "ready/async_def": rows_await.ready,
    "wake_1000/sleep0": rows_await.wake_1000_sleep0,
    "wake_1000/run_in_executor": rows_await.wake_1000_executor,
    "wake_1000/call_soon_threadsafe": rows_await.wake_1000_gil,
    "wake_1/call_soon_threadsafe": rows_await.wake_1_gil,
    "await_py/async_def": rows_await_py.await_py,
    "await_py_wrap/async_def": rows_await_py.await_py_wrap,
    "await_py_suspend/async_def": rows_await_py.await_py_suspend,
    "posted/run_coroutine_threadsafe": rows_await_py.posted,
    "call/call_soon_threadsafe": rows_await_py.call,
    "stream/async_gen": rows_stream.stream,
    "stream_batch/async_gen": rows_stream.stream_batch,
    "stream_thread/janus": rows_stream.stream_thread_janus,
    "stream_thread/call_soon_threadsafe": rows_stream.stream_thread_call_soon,
    "stream_from_py/async_gen": rows_stream.stream_from_py,
    "produce/ns": rows_produce.produce,
    "produce_gil_hog/produce": rows_produce.produce_gil_hog,
    "async_c/coroutine": rows_many.async_c,
    "all_1000/gather": rows_many.all_1000,
    "mutex/asyncio_lock": rows_many.mutex,
    "echo/uvloop_streams": rows_echo.uvloop_streams,
    "echo/asyncio_streams": rows_echo.asyncio_streams,
    "memory/bytes": rows_memory.memory_bytes,
    "pending_1m/peak_mb": rows_memory.pending_1m,
    "sleep_1m/asyncio_sleep": rows_many.sleep_1m,
    **(TRIO_ROWS if importlib.util.find_spec("trio") else {}),
}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure cawait.")
    parser.add_argument("--row", metavar="NAME", default="", help="only the rows whose name contains this")
    parser.add_argument("--quick", action="store_true", help="fewer operations, fewer runs")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the rows are written to")
    options = parser.parse_args()
    if not any(options.row in name for name in ROWS):
        parser.error(f"no such row: {options.row}; there are {', '.join(ROWS)}")
    return options


def measure(options: argparse.Namespace, console: Console) -> list[Row]:
    """Measure all chosen rows, and print the name of each."""
    rows: list[Row] = []
    for name, function in ROWS.items():
        if options.row not in name:
            continue
        begin = time.monotonic()
        with console.status(f"measuring {name}"):
            rows += function(options.quick)
        console.print(f"{name}: {time.monotonic() - begin:.1f} s", style="dim", highlight=False)
    return rows


def number(value: float | None, digits: int = 4) -> str:
    """A figure with this many significant digits, or a dash."""
    if value is None:
        return "-"
    decimals = max(0, digits - 1 - len(str(int(value)))) if value < 1000 else 0
    return f"{value:,.{decimals}f}"


def verdict(row: Row) -> str:
    """Whether the goal is met, in words, so that it can be read without colours."""
    return {True: "[green]met[/]", False: "[bold red]missed[/]", None: "[dim]-[/]"}[row.met]


def goal(row: Row) -> str:
    """The goal of the ratio, or of our own figure where there is no baseline."""
    if row.goal is None or isinstance(row.goal, str):
        return row.goal or "-"
    return f"≤ {row.goal:g}" + ("" if row.ratio is not None else f" {row.unit}")


def caption(quick: bool) -> str:
    """What was measured: interpreter, build and machine."""
    lines = [
        f"CPython {platform.python_version()} ({built_as.this_one().text})"
        f"{f', uvloop {uvloop.__version__}' if uvloop else ', no uvloop'}, {os.cpu_count()} cores; "
        f"cawait: {native.BUILD}",
        "ratio = median of ours / median of baseline, measured in turns; "
        "± = interquartile range of the ratios of neighbouring runs",
    ]
    return "\n".join([*lines, "QUICK: the figures mean little"] if quick else lines)


def table(rows: list[Row], quick: bool) -> Table:
    """The rows as a table."""
    title = f"cawait on CPython {platform.python_version()}"
    shown = Table(title=title, caption=caption(quick), caption_justify="left", title_justify="left")
    shown.add_column("row", overflow="fold")
    shown.add_column("loop", no_wrap=True)
    for heading in ("ours", "baseline", "ratio", "±", "goal"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    before = rows[0].name
    for row in rows:
        if row.name != before:
            shown.add_section()
        before = row.name
        shown.add_row(
            row.name + (f" ({row.variant})" if row.variant else ""),
            row.loop or "-",
            f"{number(row.ours)} {row.unit}",
            "-" if row.baseline is None else f"{number(row.baseline)} {row.unit}",
            number(row.ratio, 5),
            "-" if row.spread is None else f"{row.spread:.0%}",
            goal(row),
            verdict(row),
        )
        if "note" in row.extra:
            shown.add_row(f"  {row.extra['note']}")
    return shown


def main() -> None:
    """Measure, write, show."""
    options = arguments()
    console = Console() if sys.stdout.isatty() else Console(width=128)
    progress = Console(stderr=True)
    rows = measure(options, progress)
    if options.json:
        said = {"quick": options.quick, "built_as": built_as.this_one().text}
        options.json.write_text(json.dumps([{**row.as_json(), **said} for row in rows], indent=1) + "\n")
    console.print(table(rows, options.quick))
    missed = [row for row in rows if row.met is False]
    console.print(f"{len(missed)} of {sum(row.met is not None for row in rows)} goals missed")


if __name__ == "__main__":
    main()
