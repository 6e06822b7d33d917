"""Forking, for the scripts."""

import os
import threading
import traceback
from pathlib import Path

from asan import ASAN


def in_child(function, *arguments):
    """Fork. The child calls the function and exits at once, with 0 if all went well."""
    pid = os.fork()
    if pid == 0:
        try:
            function(*arguments)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return pid


def assert_left_well(pid):
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def wait_until_threads_sleep():
    """Return when every other thread waits in the kernel, and so is not inside malloc."""
    mine = threading.get_native_id()
    others = [task for task in Path("/proc/self/task").iterdir() if int(task.name) != mine]
    while any(state(task) == "R" for task in others):
        os.sched_yield()


def state(task):
    """The kernel's letter for a thread's state: R when it runs or is ready to run; none when it has ended."""
    try:
        return (task / "stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""


if ASAN:
    os.register_at_fork(before=wait_until_threads_sleep)
