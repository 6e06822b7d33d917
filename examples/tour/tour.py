"""The tour: C futures at work on real files, awaited from Python.

    python examples/tour/tour.py [TREE] [--seconds S] [--rounds N]

with the folder of the built module _tour on PYTHONPATH.

It hashes every file of a tree (default: the interpreter's own standard library), shows that the loop stays free
meanwhile, cancels thousands of hashes in flight, compares with asyncio.to_thread, does the same on trio and anyio where
they are installed, and takes the hashes as a stream that native threads send.

Exit code: 0; 1 when a hash differs, a file cannot be read, or something is still running after a cancel; 2 when it
cannot begin; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

INTERRUPTED = 130
sys.dont_write_bytecode = True  # the default tree is where Python would write it
try:
    import frameworks
    import measure
    import streams
    from _tour import hash_file, library
    from screen import Screen, shown, size
except ModuleNotFoundError as missing:
    print(f"tour: there is no module {missing.name} here: `make demo` sets up what the tour needs", file=sys.stderr)
    sys.exit(2)
except KeyboardInterrupt:
    print("tour: interrupted", file=sys.stderr)
    sys.exit(INTERRUPTED)

SAMPLE_FILES, SAMPLE_SIZE = 2000, 50_000_000


@dataclass
class Tour:
    """What the parts have in common."""

    screen: Screen
    seconds: float
    rounds: int
    paths: Sequence[str] = ()  # a sample of what can be read: for the parts that measure
    digests: dict[str, bytes] = field(default_factory=dict)  # what part 1 found
    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)

    def hash_everything(self, files: Sequence[measure.File]) -> None:
        """Part 1: every file of the tree, each checked."""
        screen = self.screen
        screen.heading("Hash every file")
        most = 0
        with screen.bar("hashing", len(files)) as bar:

            def seen(done: int, in_flight: int) -> None:
                nonlocal most
                most = max(most, in_flight)
                bar.show(done, f"{in_flight:,} in flight")

            begin = time.perf_counter()
            ends = measure.run_on(measure.loops()["asyncio"], measure.hash_tree(files, seen))
            seconds = time.perf_counter() - begin
        total = sum(file.size for file in files)
        screen.say(
            f"{len(files):,} files, {size(total)}, hashed by OpenSSL on native threads in {seconds * 1e3:,.0f} ms, "
            f"up to {most:,} of them in flight at the same time, each awaited by a task of its own on one asyncio loop."
        )
        self.check(files, ends)

    def check(self, files: Sequence[measure.File], ends: Sequence[bytes | OSError]) -> None:
        """Hash every file again, with hashlib."""
        equal: list[measure.File] = []
        unreadable, different, changed = [], [], []
        with self.screen.bar("checking with hashlib", len(files)) as bar:
            for number, (file, end) in enumerate(zip(files, ends)):
                if number % 100 == 0:
                    bar.show(number)
                if isinstance(end, OSError):
                    unreadable.append(f"cannot read {shown(file.path)}: {end.strerror}")
                elif measure.equals_hashlib(file, end):
                    equal.append(file)
                    self.digests[file.path] = end
                elif measure.has_changed(file):
                    changed.append(f"left out, it changed meanwhile: {shown(file.path)}")
                else:
                    different.append(f"hash differs from hashlib's: {shown(file.path)}")
        self.paths = measure.sample(equal, SAMPLE_FILES, SAMPLE_SIZE) if equal else []
        self.screen.problems([*different, *unreadable, *changed])
        self.good.append(f"{len(equal):,} of {len(files):,} hashes are equal to hashlib's")
        self.bad += [f"{len(different):,} hashes differ from hashlib's"] if different else []
        self.bad += [f"{len(unreadable):,} files cannot be read"] if unreadable else []

    def tick_meanwhile(self) -> None:
        """Part 2: the loop is free while files are hashed."""
        screen = self.screen
        screen.heading("A 1 ms ticker on the same loop")
        loads = {"nothing": None, "cawait": hash_file, "to_thread": measure.hash_in_thread}
        rows: list[tuple[str, str, measure.Lateness]] = []
        with screen.bar("ticking", len(measure.loops()) * len(loads)) as bar:
            for loop, new_loop in measure.loops().items():
                for what, load in loads.items():
                    bar.show(len(rows), f"{loop}, {what}")
                    main = measure.lateness_of_ticker(load, self.paths, self.seconds)
                    rows.append((loop, what, measure.run_on(new_loop, main)))
        screen.lateness(rows)
        screen.say(
            f"How late asyncio.sleep(0.001) returned, in {self.seconds:g} s each, while {len(self.paths):,} files "
            "were hashed over and over by tasks of the same loop. Busy: the most CPU time that the loop's own thread "
            "took from one tick to the next, garbage collection included. The rest of the lateness is "
            "waiting for a CPU: the hashing threads and other programs have them.",
            "dim",
        )

    def cancel_in_flight(self) -> None:
        """Part 3: after a cancel nothing is running."""
        screen = self.screen
        screen.heading("A cancel in full flight")
        rows = []
        for loop, new_loop in measure.loops().items():
            done = measure.run_on(new_loop, measure.cancel_in_flight(self.paths))
            rows.append((loop, done))
            if done.left:
                self.bad.append(f"{done.left:,} hashes are left after the cancel on {loop}")
            elif done.cancelled != done.asked:
                self.bad.append(f"{done.asked - done.cancelled:,} tasks swallowed their cancellation on {loop}")
            else:
                self.good.append(f"nothing is running after the cancel on {loop}")
        screen.cancels(rows)
        screen.say(
            f"{measure.CANCELLED:,} tasks began to hash a file each, and at the loop's next turn all of them were "
            "cancelled; it took that long until the last one had ended. Left: what the native side still counts right "
            "after that, running, queued or not yet freed.",
            "dim",
        )

    def compare(self) -> None:
        """Part 4: side by side with asyncio.to_thread."""
        screen = self.screen
        screen.heading("Next to asyncio.to_thread")
        rows: list[tuple[str, measure.Pair, measure.Pair]] = []
        with screen.bar("comparing", 2 * len(measure.loops())) as bar:
            for loop, new_loop in measure.loops().items():
                bar.show(2 * len(rows), f"{loop}, {len(self.paths):,} files")
                hashing = measure.run_on(new_loop, measure.compare_hashing(self.paths, self.rounds))
                bar.show(2 * len(rows) + 1, f"{loop}, no work")
                rows.append((loop, hashing, measure.run_on(new_loop, measure.compare_nothing(self.rounds))))
        screen.comparison(rows)
        rounds = f"medians of {self.rounds} rounds, taken in turns" if self.rounds > 1 else "one round"
        screen.say(
            f"File: {len(self.paths):,} files, a task for each, in to_thread by hashlib. No work: {measure.TASKS:,} "
            f"tasks, {measure.AWAITS} awaits each, of a call that does nothing on a thread. Time divided by the number "
            f"of awaits; {rounds}. Ratio: to_thread's time divided by cawait's.",
            "dim",
        )

    def on_every_framework(self) -> None:
        """Part 5: the main part everywhere."""
        screen = self.screen
        screen.heading("The same function on every framework")
        rows = frameworks.measure_all(self.paths, self.rounds)
        screen.frameworks([(name, seconds) for name, (seconds, _) in rows.items()])
        wrong = [name for name, (_, agrees) in rows.items() if not agrees]
        self.bad += [f"{name} has other hashes than asyncio" for name in wrong]
        self.good += [] if wrong else [f"{', '.join(rows)} have the same hashes"]
        screen.say(
            f"{len(self.paths):,} files, a task for each, hashed by one compiled function that finds out at its "
            "first suspension what runs. The time includes the start and end of the run, and what a task costs there.",
            "dim",
        )

    def as_a_stream(self) -> None:
        """Part 6: native threads send, one `async for` takes."""
        screen = self.screen
        screen.heading("A stream from four native threads")
        rows: list[tuple[str, str, streams.Taken]] = []
        for loop, new_loop in measure.loops().items():
            taken = streams.take_on(new_loop, self.paths)
            rows += [(loop, consumer, one) for consumer, one in taken.items()]
            wrong = sum(self.digests[path] != found for one in taken.values() for path, found in one.digests.items())
            missing = len(self.paths) - len(taken["fast"].digests)
            left = sum(one.left for one in taken.values())
            self.bad += [f"{wrong:,} hashes of the stream on {loop} are wrong"] if wrong else []
            self.bad += [f"{missing:,} hashes of the stream on {loop} have not come"] if missing else []
            self.bad += [f"{left:,} threads of the stream on {loop} are left"] if left else []
            self.good += [] if wrong or missing or left else [f"the stream on {loop} has the same hashes, and ends"]
        screen.streams(rows)
        screen.say(
            f"Four threads hash {len(self.paths):,} files and send each hash through a channel with 64 slots to one "
            f"`async for`. The slow consumer sleeps 1 ms after each, and has enough of {streams.BREAK}. Ahead: the "
            "most files that were begun and had not come out: threads wait for room. Left: threads after the end.",
            "dim",
        )


def arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="tour", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tree", nargs="?", metavar="TREE", default=os.environ.get("TREE") or None)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of the comparison; default 5")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="of each row of the ticker; default 1")
    args = parser.parse_args()
    if args.rounds < 1 or not 0 < args.seconds < 1000:
        parser.error("--rounds must be at least 1, and --seconds above 0 and below 1000")
    args.tree = args.tree or sysconfig.get_path("stdlib")
    return args


def refuse(text: str) -> int:
    """Say why the tour cannot begin."""
    print(f"tour: {text}", file=sys.stderr)
    return 2


def take(tree: str, seconds: float, rounds: int) -> int:
    """The whole tour; return the exit code."""
    if not os.path.isdir(tree):
        return refuse(f"{shown(tree)} is not a folder")
    files, errors = measure.list_files(tree)
    if not files:
        return refuse(f"no files in {shown(tree)}")
    tour = Tour(Screen(), seconds, rounds)
    tour.screen.title(
        (
            f"{platform.python_implementation()} {platform.python_version()}, {library}, "
            f"{len(os.sched_getaffinity(0))} CPUs, loops: {', '.join(measure.loops())}",
            f"{shown(tree)}: {len(files):,} files, {size(sum(file.size for file in files))}",
        )
    )
    tour.screen.problems([f"cannot list {shown(error.filename)}: {error.strerror}" for error in errors])
    tour.bad += [f"{len(errors):,} folders cannot be listed"] if errors else []
    tour.hash_everything(files)
    if tour.paths:
        tour.tick_meanwhile()
        tour.cancel_in_flight()
        tour.compare()
        tour.on_every_framework()
        tour.as_a_stream()
    tour.screen.verdict(tour.good, tour.bad)
    return 1 if tour.bad else 0


def main() -> int:
    """Take the tour, unless it is interrupted."""
    try:
        args = arguments()
        return take(args.tree, args.seconds, args.rounds)
    except KeyboardInterrupt:
        print("tour: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
