"""Calls that are finished before the process ends; and static objects of C++, which calls use while exit() runs."""

import signal

import pytest

from support.children import command, environment, run_child, run_command
from support.children.asan import ASAN, NO_FORK_BESIDE_BUSY_THREADS


QUIET = ["-W", "ignore::ResourceWarning", "-W", "ignore::DeprecationWarning"]


@pytest.mark.parametrize(
    "way",
    [
        "returning",
        "unclosed",
        "closed_by_hand",
        "in_a_thread",
        pytest.param("in_a_forked_child", marks=pytest.mark.skipif(ASAN, reason=NO_FORK_BESIDE_BUSY_THREADS)),
    ],
)
def test_each_of_ten_writes_is_complete_when_the_process_has_ended(way):
    assert run_child("finishing", way, options=QUIET) == "w" * 10


def test_exit_code_is_that_of_the_program():
    assert run_child("finishing", "raising", options=QUIET, returncode=3) == "w" * 10


@pytest.mark.parametrize("way, code", [("ended_at_once", 0), ("ended_by_a_signal", -signal.SIGTERM)])
def test_other_ends_wait_for_nothing(way, code):
    done = run_command(command("finishing", way, options=QUIET), environment("finishing"))
    assert (done.returncode, done.stderr) == (code, "")
    assert len(done.stdout) < 10


@pytest.mark.parametrize("how", ["heeds", "endless", "sleeps"])
def test_exit_while_calls_use_static_objects_is_clean(how):
    pytest.importorskip("_cawait_test_statics", reason="built only where there is a C++ compiler")
    for code in (0, 3, 0):
        assert run_child("finishing", "static_objects", how, code, returncode=code) == ""
