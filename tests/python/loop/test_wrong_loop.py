"""An await on another loop than the one it is suspended on, or on no loop."""

import pytest

import _cawait_test as t
from support.common import REUSED, plain_task, started, until

# --- another ---


def test_await_on_another_loop_is_an_error_and_the_first_one_goes_on(new_loop):
    async def begin(coroutine):
        return await started(coroutine)

    async def intrude(coroutine):
        for awaitable in (plain_task(coroutine), coroutine):
            with pytest.raises(RuntimeError, match="suspended on a different event loop"):
                await awaitable

    op, mine, other = t.Op("mine"), new_loop(), new_loop()
    coroutine = op.wait()
    task = mine.run_until_complete(begin(coroutine))
    other.run_until_complete(intrude(coroutine))
    op.resolve()
    assert mine.run_until_complete(task) == "mine"


def test_coroutine_woken_on_one_loop_cannot_go_on_on_another(new_loop):
    """Driven by hand, and woken: whoever comes first may resume it, but it can wait only on the loop where it waited
    before."""

    async def begin(coroutine, gate):
        assert coroutine.send(None) is not None
        gate.wake()
        await until(lambda: "resuming" in repr(coroutine))

    async def intrude(coroutine):
        with pytest.raises(RuntimeError, match="suspended on a different event loop"):
            await plain_task(coroutine)
        with pytest.raises(RuntimeError, match=REUSED):
            await coroutine

    gate, before, mine, other = t.Gate(), t.live_futures(), new_loop(), new_loop()
    coroutine = gate.wait_asked()
    mine.run_until_complete(begin(coroutine, gate))
    other.run_until_complete(intrude(coroutine))
    assert (gate.polls, gate.cancels) == (2, 1)
    assert t.live_futures() == before


# --- none ---


def test_operation_that_does_not_end_at_once_needs_a_running_loop():
    op = t.Op(on_cancel="ignored")
    coroutine = op.wait()
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)
    with pytest.raises(RuntimeError, match=REUSED):
        coroutine.send(None)
    assert (op.started, op.cancelled, op.freed) == (1, 1, 0)
    op.resolve()
    assert op.freed == 1


def test_operation_that_is_ready_needs_no_loop():
    coroutine = t.ready("now")
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert stop.value.value == "now"


def test_timer_without_a_running_loop_is_an_error():
    with pytest.raises(RuntimeError, match="no running event loop: .* has to be awaited inside one"):
        t.sleep(1000).send(None)
