"""Rows about memory, each run in a fresh process (memory.py)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from measure import LOOPS, Row, in_fresh_process, spread_of


def memory_bytes(quick: bool) -> Iterator[Row]:
    """Bytes per suspended operation without its Task."""
    n, runs = (50_000, 3) if quick else (200_000, 7)
    figures = [in_fresh_process("bytes", "asyncio", n)["bytes"] for _ in range(runs)]
    extra = {"runs": runs, "operations": n}
    yield Row("memory/bytes", "bytes", statistics.median(figures), 256, spread=spread_of(figures), extra=extra)


def pending_1m(quick: bool) -> Iterator[Row]:
    """1 000 000 Tasks pending at once; one run, since it takes long and varies little."""
    n = 100_000 if quick else 1_000_000
    for loop in LOOPS:
        figures = in_fresh_process("pending", loop, n)
        peak_mb = figures.pop("peak_mb")
        note = f"start {figures['start_s']:.2f} s, complete {figures['complete_s']:.2f} s"
        extra = {"runs": 1, "operations": n, "note": note, **figures}
        yield Row("pending_1m/peak_mb", "MB", peak_mb, "works", loop, extra=extra)
