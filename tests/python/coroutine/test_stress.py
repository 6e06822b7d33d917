"""Many at once, many one after the other, and out of memory."""

import importlib.util
import sys

import pytest

import _cawait_test as t
from support.children import run_child
from support.common import results, sleep, spawn_all, turn
from support.kinds import WAKE_KINDS, each_kind


def test_hundred_thousand_operations_at_once_are_completed_by_a_native_thread(run, kind):
    n = 100_000 if kind in ("asyncio", "uvloop") else 5_000

    async def main():
        ops = [t.Op(k) for k in range(n)]
        tasks = spawn_all(op.wait() for op in ops)
        await turn()
        t.resolve_many(ops)
        for k, task in enumerate(tasks):
            assert await task == k
        while not all(op.freed == 1 for op in ops):
            await sleep(0.001)

    run(main)


def test_completions_from_many_native_threads_are_all_seen(run):
    async def main():
        for _ in range(3):
            ops = [t.Op(k) for k in range(1600)]
            tasks = spawn_all(op.wait() for op in ops)
            await turn()
            for k in range(16):
                t.resolve_many(ops[k::16])
            assert await results(tasks) == list(range(1600))

    run(main)


def test_operations_that_are_resolved_while_they_start_are_all_seen(run):
    """The native thread resolves each one when it is started, so also during its first poll."""

    async def main():
        ops = [t.Op(k) for k in range(600)]
        for k in range(4):
            t.resolve_many(ops[k::4])
        for k, op in enumerate(ops):
            assert await op.wait() == k

    run(main)


@each_kind("kind", [*WAKE_KINDS, "trio"])
def test_references_and_memory_are_flat_after_a_hundred_thousand_awaits(kind):
    assert run_child("memory", "flat", kind) == ""


@each_kind("kind", WAKE_KINDS)
@pytest.mark.skipif(
    not importlib.util.find_spec("_testcapi"), reason="this Python is without _testcapi, which makes allocations fail"
)
@pytest.mark.parametrize("function", ["every_allocation_fails", "every_allocation_fails_where_the_hub_is_made"])
def test_allocation_that_fails_is_a_memory_error_or_nothing(function, kind):
    if sys.version_info[:2] == (3, 11) and kind == "asyncio+no-reader":
        pytest.skip("PyThreadState_New of CPython 3.11 crashes without memory")
    run_child("memory", function, kind, options=["-W", "ignore"])
