"""Scripts that tests run in a process of their own, and how to run them."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
HANG_SECONDS = 40

# Plain, and with everything that -X dev switches on: debug mode of asyncio, of the allocator, all warnings.
MODES = {"plain": [], "dev": ["-X", "dev", "-W", "error"]}


def command(script, function, *arguments, options=()):
    """What runs children/<script>.py, which calls the function of that name."""
    return [sys.executable, *options, str(FOLDER / f"{script}.py"), function, *map(str, arguments)]


def run_child(script, function, *arguments, options=(), returncode=0, stderr=""):
    """Run it; its exit code and what it wrote to stderr have to be these. Returns what it wrote to stdout."""
    done = subprocess.run(
        command(script, function, *arguments, options=options), capture_output=True, text=True, timeout=HANG_SECONDS
    )
    if (done.returncode, done.stderr) != (returncode, stderr):
        raise AssertionError(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
