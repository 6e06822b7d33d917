"""Scripts that tests run in a process of their own, and how to run them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from support.children.asan import PYDEBUG, SLOWER

FOLDER = Path(__file__).parent
HANG_SECONDS = 80 * SLOWER

# Plain, and with all that -X dev switches on: debug mode of asyncio and of the allocator, all warnings.
MODES = {"plain": [], "dev": ["-X", "dev", "-W", "error"]}


def command(script, function, *arguments, options=()):
    """The command that runs children/<script>.py, which calls the function of that name. A debug build of CPython shows
    each warning, unless told otherwise."""
    quiet = ["-W", "ignore::ResourceWarning"] if PYDEBUG else []
    return [sys.executable, *quiet, *options, str(FOLDER / f"{script}.py"), function, *map(str, arguments)]


def environment(script):
    """The environment. In a forked child the parent's operations never end and their memory is never freed: no leak
    check."""
    forks = script in ("forks", "finishing")
    extra = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"} if forks else {}
    return {**os.environ, **extra}


# A debug build of CPython says this of what is still open at its end, whatever -W says: the filters are gone by then.
UNCLOSED = re.compile(
    r"Exception ignored while [^\n]*:\n(?:Traceback [^\n]*\n(?: +[^\n]*\n)*)?ResourceWarning: unclosed [^\n]*\n"
)


def run_child(script, function, *arguments, options=(), returncode=0, stderr=""):
    """Run it and check its exit code and its stderr. Returns its stdout."""
    done = run_command(command(script, function, *arguments, options=options), environment(script))
    said = UNCLOSED.sub("", done.stderr) if PYDEBUG else done.stderr
    if (done.returncode, said) != (returncode, stderr):
        raise AssertionError(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def interrupt(child):
    """Send SIGINT. Returns what it writes until its end, and what to stderr.

    A loop of asyncio does not see a signal that comes between Python's last look and the system call that waits, until
    that call returns: to be stopped and continued ends it.
    """
    child.send_signal(signal.SIGINT)
    for _ in range(int(HANG_SECONDS)):
        try:
            return child.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGSTOP)
            child.send_signal(signal.SIGCONT)
    child.kill()
    raise AssertionError(f"not ended: {child.communicate()}")


def run_command(arguments, env=None):
    """Like subprocess.run, but if it hangs its own children are ended with it."""
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=env
    ) as child:
        try:
            out, err = child.communicate(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(arguments, child.returncode, out, err)
