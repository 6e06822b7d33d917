"""fork(): the child starts afresh, the parent goes on undisturbed. Each in a process of its own."""

import os

import pytest
from children import run_child

try:
    import uvloop
except ImportError:
    uvloop = None

LOOPS = ["asyncio", "no_reader"] + (["uvloop"] if uvloop else [])

# Python warns of every fork of a process that has threads.
OPTIONS = ["-X", "dev", "-W", "error", "-W", "ignore::DeprecationWarning", "-W", "ignore::ResourceWarning"]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# glibc makes malloc usable in the child of a process with threads; AddressSanitizer's allocator, before LLVM 18 and GCC
# 14, does not: the child waits for ever for a lock that another thread held at the fork.
ASAN = "libasan" in os.environ.get("LD_PRELOAD", "")
BESIDE_BUSY_THREADS = {"in_task", "in_resumed_task", "in_resumed_task_and_run_in_the_child"}


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize(
    "function",
    [
        "before_use",
        "after_use",
        "grandchild",
        "in_task",
        "in_resumed_task",
        "in_resumed_task_and_run_in_the_child",
        "child_that_exits_by_itself",
        "child_that_exits_with_a_suspended_loop",
        "child_that_runs_the_loop_of_its_parent",
        "processes",
    ],
)
def test_child_and_parent_both_work(function, kind):
    if ASAN and (function in BESIDE_BUSY_THREADS or kind == "no_reader"):  # which has a thread of its own
        pytest.skip("AddressSanitizer's malloc may hang in a forked child")
    assert run_child("forks", function, kind, options=OPTIONS) == ""
    assert run_child("forks", function, kind, options=["-W", "ignore"]) == ""
