"""What keeps a coroutine alive, what a coroutine keeps alive, and coroutines in cycles."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import _cawait_test as t
from support.common import Value, settle, sleep, spawn, suspended


def test_weak_reference_ends_with_it() -> None:
    ended = []
    coroutine = t.ready(1)
    reference = weakref.ref(coroutine, ended.append)
    assert reference() is coroutine
    assert len(weakref.WeakSet([coroutine])) == 1
    coroutine.close()
    del coroutine
    assert reference() is None and ended == [reference]


def test_coroutine_keeps_the_object_of_its_method_alive() -> None:
    op = t.Op(Value())
    reference = weakref.ref(op.value)
    coroutine = op.wait()
    del op
    gc.collect()
    assert reference() is not None
    coroutine.close()
    del coroutine
    assert reference() is None


def test_task_that_only_the_loop_knows_is_not_collected_in_flight(run: Callable[..., Any]) -> None:
    async def body(op: Any, done: Any) -> None:
        done.append(await op.wait())

    async def main() -> None:
        ops, done = [t.Op(n) for n in range(10)], []
        for op in ops:
            spawn(body(op, done))
        await settle()
        gc.collect()
        t.resolve_many(ops)
        while len(done) < 10:
            await sleep(0.001)
        assert sorted(done) == list(range(10))

    run(main)


def test_collected_cycle_tells_once(run: Callable[..., Any]) -> None:
    async def main() -> None:
        op = t.Op(on_cancel="ignored")
        holder = [await suspended(op.wait())]
        holder.append(holder)
        del holder
        assert op.cancelled == 0
        gc.collect()
        assert (op.cancelled, op.freed) == (1, 0)
        op.resolve()
        assert op.freed == 1

    run(main)


def test_cycle_through_the_operation_itself_is_collected(run: Callable[..., Any]) -> None:
    async def main() -> None:
        value = Value()
        alive = weakref.ref(value)
        op = t.Op(value, on_cancel="resolves")
        value.coroutine = await suspended(op.wait())
        del op, value
        assert alive()
        gc.collect()
        assert alive() is None

    run(main)
