"""The park object: what a suspended coroutine gives its task to wait for, in place of an asyncio future."""

import asyncio

import pytest

import _cawait_test as t
from support.common import AWAITED


def test_callback_that_is_no_task_is_called_with_the_park_object(run_asyncio):
    async def main():
        op, seen = t.Op(), []
        coroutine = op.wait()
        park = coroutine.send(None)
        park.add_done_callback(seen.append)
        op.resolve()
        while not seen:
            await asyncio.sleep(0)
        assert seen == [park]
        coroutine.close()

    run_asyncio(main)


def test_park_object_refuses_a_second_callback(run_asyncio):
    async def main():
        op = t.Op(on_cancel="resolves")
        coroutine = op.wait()
        park = coroutine.send(None)
        park.add_done_callback(print)
        with pytest.raises(RuntimeError, match=AWAITED):
            park.add_done_callback(print)
        assert park.remove_done_callback(print) == 1 and park.remove_done_callback(print) == 0
        coroutine.close()

    run_asyncio(main)


def test_park_object_outlives_its_coroutine(run_asyncio):
    async def main():
        op = t.Op(on_cancel="resolves")
        coroutine = op.wait()
        park = coroutine.send(None)
        del coroutine
        assert park.done() and park.result() is None and not park.cancel()
        for call in (park.get_loop, lambda: park.add_done_callback(print)):
            with pytest.raises(RuntimeError):
                call()
        assert "ended" in repr(park) and park.remove_done_callback(print) == 0

    run_asyncio(main)


def test_park_object_refuses_wrong_arguments(run_asyncio):
    async def main():
        coroutine = t.Op(on_cancel="resolves").wait()
        park = coroutine.send(None)
        for arguments, keywords in (((), {}), ((1, 2), {}), ((1,), {"loop": 2}), ((), {"context": 2})):
            with pytest.raises(TypeError):
                park.add_done_callback(*arguments, **keywords)
        with pytest.raises(TypeError):
            park.cancel(1, 2)
        coroutine.close()

    run_asyncio(main)


def test_type_of_the_park_object_cannot_be_made(run_asyncio):
    async def main():
        coroutine = t.Op(on_cancel="resolves").wait()
        park = coroutine.send(None)
        with pytest.raises(TypeError):
            type(park)()
        coroutine.close()

    run_asyncio(main)
