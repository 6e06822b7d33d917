"""How a row is measured: both sides in turns, in one process, so that a disturbance of the machine affects both."""

from __future__ import annotations

import asyncio
import gc
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

try:
    import uvloop
except ImportError:  # there is no wheel for every interpreter
    uvloop = None

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
if uvloop is not None:
    LOOPS["uvloop"] = uvloop.new_event_loop

AsyncSide = Callable[[], Awaitable[float]]
"""One run of one side: its figure, ns per operation."""


@dataclass
class Row:
    """One line of the table and of the JSON."""

    name: str
    unit: str
    ours: float
    goal: float | str
    loop: str | None = None
    variant: str | None = None
    baseline: float | None = None
    ratio: float | None = None
    spread: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None if the row has no goal and is only for comparison."""
        if not isinstance(self.goal, (int, float)):
            return True if self.goal else None
        return (self.ours if self.ratio is None else self.ratio) <= self.goal

    def as_json(self) -> dict[str, Any]:
        """The row as it is written to the file."""
        return {
            "name": self.name,
            "loop": self.loop,
            "python": platform.python_version(),
            "unit": self.unit,
            "ours": self.ours,
            "baseline": self.baseline,
            "ratio": self.ratio,
            "goal": self.goal,
            "spread": self.spread,
            "variant": self.variant,
            "met": self.met,
            **self.extra,
        }


def spread_of(values: list[float]) -> float:
    """The interquartile range over the median: half of all runs lie within it."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle


def compared(row: dict[str, Any], ours: list[float], baseline: list[float]) -> Row:
    """A row of two sides: the ratio of the medians, and the spread of the ratios of neighbouring runs."""
    extra = {"runs": len(ours), "ours_min": min(ours), "baseline_min": min(baseline)}
    extra.update(row.pop("extra", {}))
    ours_median, baseline_median = statistics.median(ours), statistics.median(baseline)
    return Row(
        ours=ours_median,
        baseline=baseline_median,
        ratio=ours_median / baseline_median,
        spread=spread_of([a / b for a, b in zip(ours, baseline)]),
        extra=extra,
        **row,
    )


def alternate(ours: Callable[[], float], baseline: Callable[[], float], runs: int) -> tuple[list[float], list[float]]:
    """The figures of both sides, measured in turns; the first turn only warms up."""
    first, second = [], []
    for _ in range(runs + 1):
        for side, figures in ((ours, first), (baseline, second)):
            gc.collect()
            figures.append(side())
    return first[1:], second[1:]


async def alternate_async(ours: AsyncSide, baseline: AsyncSide, runs: int) -> tuple[list[float], list[float]]:
    """The same for sides that run on the loop."""
    first, second = [], []
    for _ in range(runs + 1):
        for side, figures in ((ours, first), (baseline, second)):
            gc.collect()
            figures.append(await side())
    return first[1:], second[1:]


def run_on(loop_name: str, main: Awaitable[Any]) -> Any:
    """Run a coroutine on a new loop of this kind."""
    loop = LOOPS[loop_name]()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()


def in_fresh_process(function: str, *args: object) -> dict[str, Any]:
    """Call a function of memory.py in an interpreter of its own; return its result, a JSON object."""
    command = [sys.executable, str(Path(__file__).parent / "memory.py"), function, *map(str, args)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def ns_since(begin: int, operations: int) -> float:
    """ns per operation since `begin`, a value of perf_counter_ns."""
    return (time.perf_counter_ns() - begin) / operations
