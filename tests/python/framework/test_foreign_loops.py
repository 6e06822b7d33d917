"""Loops that other packages bring: each test is a process of its own, children/foreign.py, with the real package.

They are installed beside the test environment of one interpreter, by tools/foreign_loops.py. What each loop is given is
said in docs/loops.md.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from support.children import command, run_command

FOLDER = Path(sys.prefix).with_name("loops")

# Names in LOOPS of children/foreign.py, and the package that each needs.
PACKAGES = {
    "asyncio": "",
    "asyncio without add_reader": "",
    "PySide6.QtAsyncio": "PySide6",
    "qasync": "qasync",
    "gi.events": "gi",
    "rloop": "rloop",
    "zuvloop": "zuvloop",
    "trio_asyncio": "trio_asyncio",
    "gevent": "gevent",
    "gevent without add_reader": "gevent",
    "nest_asyncio": "nest_asyncio",
    "nest_asyncio2": "nest_asyncio2",
}
# In the loop of Qt no signal handler of Python runs, whatever it waits for; zuvloop runs it in a callback of its own,
# which reports the KeyboardInterrupt and goes on.
WITHOUT_CTRL_C = ["PySide6.QtAsyncio", "qasync", "zuvloop"]
RUN_AGAIN = ["asyncio", "asyncio without add_reader", "rloop", "zuvloop", "nest_asyncio", "nest_asyncio2"]


def run_on(loop: str, what: str) -> None:
    """Run it, and check that it came to its end, in silence where nothing was raised."""
    package = PACKAGES[loop]
    path = [str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    if package and not PathFinder.find_spec(package, [str(FOLDER), *sys.path]):
        pytest.skip(f"{package} is not installed for this Python")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "QT_QPA_PLATFORM": "offscreen"}
    done = run_command(command("foreign", what, loop), env)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["done"]), f"{done.stdout}\n{done.stderr}"
    if what not in ("batch", "interrupted"):  # rloop and gevent report what leaves a callback
        assert done.stderr == ""


@pytest.mark.parametrize("loop", PACKAGES)
def test_operations_timers_channels_calls_and_cancels_work(loop: str) -> None:
    run_on(loop, "works")


@pytest.mark.parametrize("loop", PACKAGES)
def test_they_work_after_asyncios_own_loop_and_on_a_second_loop(loop: str) -> None:
    run_on(loop, "works_after_asyncio")


@pytest.mark.parametrize("loop", PACKAGES)
def test_end_of_the_loop_drops_what_is_in_flight_and_refuses_calls(loop: str) -> None:
    run_on(loop, "ends")


@pytest.mark.parametrize("loop", RUN_AGAIN)
def test_interrupt_that_leaves_a_step_leaves_the_rest_of_its_batch_to_the_loop(loop: str) -> None:
    run_on(loop, "batch")


@pytest.mark.parametrize("loop", [loop for loop in PACKAGES if loop not in WITHOUT_CTRL_C])
def test_ctrl_c_ends_the_run_and_cancels_the_operation(loop: str) -> None:
    run_on(loop, "interrupted")
