"""How the tour looks: headings, a bar in a terminal, tables. Plain text when the output is not a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext

from measure import Cancel, Lateness, Pair
from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text
from streams import Taken

SHOWN = 20  # no more problems than this are listed one by one
WIDE = 59  # a terminal wider than this has room for all columns
TEXTS = ("framework", "loop", "hashing with", "measured", "consumer")  # these columns are text, the others numbers


def shown(path: str) -> str:
    """A file name as it can be printed: no control characters, whatever its bytes are."""
    return path if path.isprintable() else ascii(path)[1:-1]


def size(count: int) -> str:
    """Bytes for a reader."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count:,} bytes"


class Bar:
    """A progress bar that is drawn by show() alone: nothing of it runs beside a measurement."""

    def __init__(self, progress: Progress, total: int, what: str) -> None:
        self.progress = progress
        self.task = progress.add_task(what, total=total, note="")

    def show(self, done: int, note: str = "") -> None:
        """Draw it, in a terminal."""
        if not self.progress.disable:
            self.progress.update(self.task, completed=done, note=note)
            self.progress.refresh()


class Screen:
    """All that the tour prints."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        self.console = Console(highlight=False)
        self.number = 0

    def title(self, lines: Iterable[str]) -> None:
        """What runs, and on what."""
        text = Text("C futures, awaited from Python\n", style="bold")
        text.append("\n".join(lines), style="not bold")
        self.console.print(Panel(text, title="cawait: the tour", title_align="left", border_style="cyan"))

    def heading(self, text: str) -> None:
        """Begin a part."""
        self.number += 1
        self.console.print()
        self.console.rule(Text(f"{self.number}  {text}", style="bold cyan"), align="left", style="cyan")
        self.console.print()

    def say(self, text: str, style: str = "") -> None:
        """A paragraph."""
        self.console.print(Text(text, style=style))

    def problems(self, lines: list[str]) -> None:
        """A line for each problem, within reason; long ones are not broken."""
        for line in lines[:SHOWN]:
            self.console.print(Text(line, style="red"), soft_wrap=True)
        if len(lines) > SHOWN:
            self.console.print(Text(f"... and {len(lines) - SHOWN:,} more", style="red"))

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Bar]:
        """A bar that goes away at the end."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        live = self.console.is_terminal and not self.console.is_dumb_terminal
        progress = Progress(*columns, console=self.console, auto_refresh=False, transient=True, expand=True)
        progress.disable = not live
        with progress if live else nullcontext():
            yield Bar(progress, total, what)

    def table(self, *columns: str) -> Table:
        """An empty table."""
        table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, collapse_padding=True)
        for column in columns:
            text = column in TEXTS
            widest = max(7, *(len(word) for word in column.split())) if self.console.width > WIDE else None
            table.add_column(column, justify="left" if text else "right", overflow="fold", min_width=widest)
        return table

    def lateness(self, rows: list[tuple[str, str, Lateness]]) -> None:
        """Part 2's table."""
        table = self.table("loop", "hashing with", "ticks", "median ms", "worst ms", "busy ms")
        for number, (loop, what, late) in enumerate(rows):
            table.add_row(
                loop if number % 3 == 0 else "",
                what,
                f"{late.ticks:,}",
                f"{late.median * 1e3:.2f}",
                f"{late.worst * 1e3:.2f}",
                f"{late.busy * 1e3:.2f}",
                style="bold" if what == "cawait" else "",
                end_section=number % 3 == 2,
            )
        self.console.print(table)
        self.console.print()

    def cancels(self, rows: list[tuple[str, Cancel]]) -> None:
        """Part 3's table."""
        table = self.table("loop", "in flight", "running", "cancelled", "took ms", "left")
        for loop, done in rows:
            numbers = (f"{number:,}" for number in (done.in_flight, done.running, done.cancelled))
            style = "bold red" if done.left else ""
            table.add_row(loop, *numbers, f"{done.seconds * 1e3:.1f}", f"{done.left:,}", style=style)
        self.console.print(table)
        self.console.print()

    def comparison(self, rows: list[tuple[str, Pair, Pair]]) -> None:
        """Part 4's table, of the seconds per await for (loop, hashing, nothing)."""
        table = self.table("loop", "measured", "cawait", "to_thread", "ratio")
        for loop, hashing, nothing in rows:
            ratio = f"{hashing.theirs / hashing.ours:.1f}"
            rates = (f"{1 / hashing.ours:,.0f}", f"{1 / hashing.theirs:,.0f}")
            table.add_row(loop, "files/s", *rates, ratio, style="bold")
            for what, pair in (("ns/await, one file", hashing), ("ns/await, no work", nothing)):
                ours, theirs = f"{pair.ours * 1e9:,.0f}", f"{pair.theirs * 1e9:,.0f}"
                table.add_row("", what, ours, theirs, f"{pair.theirs / pair.ours:.1f}", end_section=pair is nothing)
        self.console.print(table)
        self.console.print()

    def frameworks(self, rows: list[tuple[str, float]]) -> None:
        """Part 5's table, of the seconds per file."""
        table = self.table("framework", "files/s", "us/file")
        for name, seconds in rows:
            table.add_row(name, f"{1 / seconds:,.0f}", f"{seconds * 1e6:,.1f}")
        self.console.print(table)
        self.console.print()

    def streams(self, rows: list[tuple[str, str, Taken]]) -> None:
        """Part 6's table."""
        table = self.table("loop", "consumer", "files", "files/s", "ahead", "left")
        for number, (loop, consumer, taken) in enumerate(rows):
            files = len(taken.digests)
            numbers = (f"{files:,}", f"{files / taken.seconds:,.0f}", f"{taken.ahead:,}", f"{taken.left:,}")
            table.add_row("" if number % 2 else loop, consumer, *numbers, end_section=number % 2 == 1)
        self.console.print(table)
        self.console.print()

    def verdict(self, good: list[str], bad: list[str]) -> None:
        """The last panel."""
        lines = [Text(f"ok   {line}", style="green") for line in good]
        lines += [Text(f"bad  {line}", style="bold red") for line in bad]
        self.console.print()
        style = "red" if bad else "green"
        self.console.print(Panel(Group(*lines), title="result", title_align="left", border_style=style))
