"""A loop that is told of edges, as rloop is (mio): a file descriptor that stays readable is reported once."""

import asyncio
import os
import select
import selectors

import pytest

import _cawait_test as t
from support.common import resolve_all, suspended_tasks

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll")


class EdgeSelector(selectors.EpollSelector if hasattr(selectors, "EpollSelector") else selectors.SelectSelector):
    """Tells of edges."""

    def register(self, fileobj, events, data=None):
        key = super().register(fileobj, events, data)
        readable, writable = events & selectors.EVENT_READ, events & selectors.EVENT_WRITE
        what = select.EPOLLIN * bool(readable) | select.EPOLLOUT * bool(writable) | select.EPOLLET
        self._selector.modify(key.fd, what)
        return key


@pytest.fixture
def loop():
    loop = asyncio.SelectorEventLoop(EdgeSelector())
    loop.set_debug(False)
    yield loop
    loop.close()


def test_operations_are_delivered(loop):
    async def main():
        for n in range(50):
            op = t.Op(n)
            op.resolve_later(n)
            assert await op.wait() == n
        await asyncio.gather(*[t.sleep(0.0001 * n) for n in range(100)])

    loop.run_until_complete(main())


def test_more_fds_than_a_turn_handles_are_all_reported(loop):
    async def main(ends):
        tasks = await suspended_tasks(t.readable(end) for end, _ in ends)
        for _, end in ends:
            os.write(end, b"x")
        await asyncio.gather(*tasks)

    ends = [os.pipe() for _ in range(150)]
    loop.run_until_complete(main(ends))
    for pair in ends:
        for end in pair:
            os.close(end)


@pytest.mark.parametrize("leave", [KeyboardInterrupt, SystemExit])
def test_exception_that_leaves_a_step_leaves_the_rest_of_its_batch_to_the_next_run(loop, leave):
    async def raiser(op):
        await op.wait()
        raise leave("out")

    async def begin(ops):
        return await suspended_tasks([ops[0].wait(), raiser(ops[1]), ops[2].wait(), ops[3].wait()])

    async def end(tasks):
        return await asyncio.gather(tasks[0], tasks[2], tasks[3])

    ops = [t.Op(n) for n in range(4)]
    tasks = loop.run_until_complete(begin(ops))
    resolve_all(ops)
    with pytest.raises(leave):
        loop.run_forever()
    assert isinstance(tasks[1].exception(), leave)
    assert loop.run_until_complete(end(tasks)) == [0, 2, 3]


def test_exception_that_comes_before_anything_was_taken_leaves_all_to_the_next_run(loop):
    async def begin(ops):
        return await suspended_tasks(op.wait() for op in ops)

    async def end(tasks):
        return await asyncio.gather(*tasks)

    def interrupted():
        """As if a signal came while the library asks for the loop's mode."""
        del loop.get_debug
        raise KeyboardInterrupt

    ops = [t.Op(n) for n in range(4)]
    tasks = loop.run_until_complete(begin(ops))
    resolve_all(ops)
    loop.get_debug = interrupted
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    assert loop.run_until_complete(end(tasks)) == [0, 1, 2, 3]
