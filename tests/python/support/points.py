"""An operation that is cancelled at each of its suspension points in turn, as points.h of the tests in C has it; and
after each number of turns of the loop, since what waits for another thread may end between two points."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from support.common import ended, spawn, turn

Make = Callable[[], Coroutine[Any, Any, Any]]
Check = Callable[[], Awaitable[None]]


class Point:
    """Awaits a coroutine, and cancels the task where the coroutine suspends for the n-th time, from 0 up."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], n: int) -> None:
        self.coroutine, self.left = coroutine, n
        self.reached = False

    def __await__(self) -> Generator[Any, Any, Any]:
        resume, given = self.coroutine.send, None
        while True:
            try:
                yielded = resume(given)
            except StopIteration as stop:
                return stop.value
            if self.left == 0:
                self.reached = True
                self.cancel()
            self.left -= 1
            try:
                resume, given = self.coroutine.send, (yield yielded)
            except BaseException as error:
                resume, given = self.coroutine.throw, error

    def cancel(self) -> None:
        """Replaced as soon as there is a task; an eager one runs before that."""

    async def run(self) -> Any:
        """Await it in a task, and return how that ended."""

        async def main() -> Any:
            return await self

        task = spawn(main())
        if self.reached:
            task.cancel()
        self.cancel = task.cancel  # type: ignore[method-assign]
        return await ended(task)


async def cancelled_at_each_point(make: Make, check: Check) -> None:
    """Cancel it at each point, with a check afterwards; the last time it ends by itself."""
    n = 0
    while True:
        point = Point(make(), n)
        outcome = await point.run()
        await check()
        if not point.reached:
            assert outcome != "cancelled" and not isinstance(outcome, BaseException)
            return
        n += 1


async def cancelled_after_turns(make: Make, check: Check) -> None:
    """Cancel it after more and more turns, with a check afterwards, until it ends before that."""
    n = 0
    while True:
        task = spawn(make())
        for _ in range(n):
            await turn()
        ends = task.done()
        task.cancel()
        outcome = await ended(task)
        await check()
        if ends:
            assert outcome != "cancelled" and not isinstance(outcome, BaseException)
            return
        n += 1 + n // 4
