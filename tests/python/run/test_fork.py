"""fork(): the child starts afresh, and the parent goes on undisturbed. Each test has a process of its own."""

import os

import pytest

from support.children import run_child
from support.children.asan import ASAN, NO_FORK_BESIDE_BUSY_THREADS
from support.kinds import WAKE_KINDS, each_kind

# Python warns of every fork of a process that has threads.
OPTIONS = ["-X", "dev", "-W", "error", "-W", "ignore::DeprecationWarning", "-W", "ignore::ResourceWarning"]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")

BESIDE_BUSY_THREADS = {"in_task", "in_resumed_task", "in_resumed_task_and_run_in_the_child"}


@each_kind("kind", WAKE_KINDS)
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
    if ASAN and function in BESIDE_BUSY_THREADS:
        pytest.skip(NO_FORK_BESIDE_BUSY_THREADS)
    assert run_child("forks", function, kind, options=OPTIONS) == ""
    assert run_child("forks", function, kind, options=["-W", "ignore"]) == ""
