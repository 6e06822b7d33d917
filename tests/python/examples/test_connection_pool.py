"""The example connection_pool: whoever is cancelled, at whichever point, leaves the connections to the others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.common import cancelled, ended, results, settle, spawn, started
from support.points import cancelled_after_turns, cancelled_at_each_point

Pool = pytest.importorskip("connection_pool", reason="SQLite's headers were not there for the examples").Pool
Run = Callable[..., Any]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
TABLE = "CREATE TABLE IF NOT EXISTS t (number INTEGER)"


async def all_work(pool: Any, n: int) -> None:
    """So many statements run at a time, and one more does not."""
    await pool.execute("SELECT 1")  # prepares it, where nobody has
    tasks = [await started(pool.execute(ENDLESS)) for _ in range(n)]
    waits = spawn(pool.execute("SELECT 42"))
    await settle()
    assert not waits.done()
    await cancelled(*tasks)
    assert await waits == [(42,)]


def test_statements_of_many_tasks_all_run(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        pool = Pool(tmp_path / "file", 3, TABLE)
        await results([spawn(pool.execute("INSERT INTO t VALUES (?)", (n,))) for n in range(20)])
        assert await pool.execute("SELECT count(*), sum(number) FROM t") == [(20, 190)]
        await all_work(pool, 3)

    run(main)


def test_errors_are_raised_and_the_next_task_prepares_anew(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        folder = tmp_path / "folder"
        pool = Pool(folder / "file", 2, TABLE)
        for task in [spawn(pool.execute("SELECT 1")) for _ in range(5)]:
            assert str(await ended(task)) == "unable to open database file"
        folder.mkdir()
        assert await pool.execute("SELECT * FROM t") == []
        with pytest.raises(RuntimeError, match="no such table: none"):
            await pool.execute("SELECT * FROM none")
        for wrong in (0, -1, 65):
            with pytest.raises(ValueError):
                Pool(folder, wrong)
        with pytest.raises(UnicodeEncodeError):
            Pool(folder, prepare="\ud800")
        with pytest.raises(TypeError):
            pool.execute()

    run(main)


@pytest.mark.parametrize("each", [cancelled_at_each_point, cancelled_after_turns])
def test_task_that_is_cancelled_anywhere_leaves_all_connections(run: Run, tmp_path: Path, each: Any) -> None:
    async def main() -> None:
        pool, seen = Pool(tmp_path / "file", 2, TABLE), []

        async def two_with_a_rival() -> None:
            seen.append(spawn(pool.execute("SELECT 1")))
            await pool.execute("INSERT INTO t VALUES (1)")
            await pool.execute("DELETE FROM t")

        async def check() -> None:
            while seen:  # else it was cancelled before its first step
                assert await seen.pop() == [(1,)]
            await all_work(pool, 2)

        await each(two_with_a_rival, check)

    run(main)


@pytest.mark.parametrize("each", [cancelled_at_each_point, cancelled_after_turns])
def test_first_task_that_is_cancelled_anywhere_leaves_the_preparation_to_the_next(
    run: Run, tmp_path: Path, each: Any
) -> None:
    async def main() -> None:
        made: list[Any] = []

        async def first() -> None:
            made.append(Pool(tmp_path / str(len(os.listdir(tmp_path))), 1, TABLE))
            await made[-1].execute("SELECT * FROM t")

        async def check() -> None:
            while made:
                assert await made.pop().execute("SELECT * FROM t") == []

        await each(first, check)

    run(main)


def test_waiters_go_on_when_others_leave(run: Run) -> None:
    async def main() -> None:
        pool, done = Pool(":memory:", 1), []

        async def wait(n: int) -> None:
            await pool.execute("SELECT 1")
            done.append(n)

        holds = await started(pool.execute(ENDLESS))
        waits = [await started(wait(n)) for n in range(5)]
        await cancelled(waits[0], waits[3])
        assert not done
        await cancelled(holds)
        await results([waits[1], waits[2], waits[4]])
        assert sorted(done) == [1, 2, 4]  # trio takes those that can go on in any order

    run(main)
