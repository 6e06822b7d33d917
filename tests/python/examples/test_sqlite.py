"""The example sqlite: values, errors, transactions that tasks share, and cancels at each point."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.common import awaiting, cancelled, results, settle, sleep, spawn, started, turn
from support.points import cancelled_after_turns, cancelled_at_each_point

sqlite = pytest.importorskip("sqlite", reason="SQLite's headers were not there when the examples were built")

Run = Callable[..., Any]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


async def prepared(connection: Any) -> None:
    """Two accounts with 100 each, in a file that is not synced."""
    await connection.execute("PRAGMA synchronous = OFF")
    await connection.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER CHECK (balance >= 0))")
    await connection.execute("INSERT INTO account VALUES (1, 100), (2, 100)")


async def balances(connection: Any) -> list[int]:
    return [balance for (balance,) in await connection.execute("SELECT balance FROM account ORDER BY id")]


async def move(connection: Any, amount: int, kept: list[Any] | None = None) -> None:
    """The transaction may be kept after its end: then its own end releases nothing."""
    begun = connection.transaction()
    if kept is not None:
        kept.append(begun)
    async with begun as transaction:
        await transaction.execute("UPDATE account SET balance = balance + ? WHERE id = 2", (amount,))
        await turn()
        await transaction.execute("UPDATE account SET balance = balance - ? WHERE id = 1", (amount,))


def test_values_go_both_ways(run: Run) -> None:
    values = (None, 0, True, -(2**63), 2**63 - 1, 1.5, float("inf"), "", "ü\0\U0001f600", b"", b"\0\xff", "x" * 100_000)

    async def main() -> None:
        async with sqlite.Connection(":memory:") as connection:
            [row] = await connection.execute("SELECT " + ", ".join("?" * len(values)), list(values))
            assert row == values and isinstance(row[2], int)
            rows = await connection.execute("WITH n(i) AS (VALUES (1), (2), (3)) SELECT i, i * i FROM n")
            assert rows == [(1, 1), (2, 4), (3, 9)]
            assert await connection.execute("CREATE TABLE t (x)") == []
            assert await connection.execute(" -- nothing") == await connection.execute(";;") == []
            assert await connection.execute("SELECT 1; -- one\n; /* and no other */") == [(1,)]

    run(main)


def test_errors_have_the_text_of_sqlite(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with sqlite.Connection(":memory:") as connection:
            await prepared(connection)
            for text, *statement in (
                ("no such table: none", "SELECT * FROM none"),
                ("CHECK constraint failed: balance >= 0", "UPDATE account SET balance = -1"),
                ("UNIQUE constraint failed: account.id", "INSERT INTO account VALUES (?, 0)", (1,)),
                ("more than one statement", "SELECT 1; SELECT 2"),
                ("more than one statement", "SELECT 1;; nonsense"),
                ("the number of parameters is not that of the statement", "SELECT ?"),
            ):
                with pytest.raises(sqlite.Error) as seen:
                    await connection.execute(*statement)
                assert str(seen.value) == text
            with pytest.raises(TypeError, match="no type for object"):
                await connection.execute("SELECT ?", (object(),))
            for wrong in ({1: 2}, {1}, 1):
                with pytest.raises(TypeError, match="parameters are a sequence"):
                    await connection.execute("SELECT ?", wrong)
            with pytest.raises(sqlite.Error, match="number of parameters"):
                await connection.execute("SELECT ?", [0] * 100_000)
            with pytest.raises(OverflowError):
                await connection.execute("SELECT ?", (2**63,))
            assert await balances(connection) == [100, 100]
        with pytest.raises(sqlite.Error, match="the connection is closed"):
            await connection.execute("SELECT 1")
        for _ in range(2):
            with pytest.raises(sqlite.Error, match="unable to open database file"):
                await sqlite.Connection(tmp_path / "none" / "file").__aenter__()

    run(main)


def test_transaction_is_committed_or_rolled_back(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with sqlite.Connection(tmp_path / "file") as connection, sqlite.Connection(tmp_path / "file") as other:
            await prepared(connection)
            await move(connection, 30)
            assert await balances(other) == [70, 130]
            with pytest.raises(sqlite.Error, match="CHECK constraint"):
                await move(connection, 71)
            with pytest.raises(KeyError):
                async with connection.transaction() as transaction:
                    await transaction.execute("DELETE FROM account")
                    raise KeyError
            await move(other, 0)  # the file is not locked
            assert await balances(other) == await balances(connection) == [70, 130]

    run(main)


def test_commit_that_fails_is_rolled_back(run: Run) -> None:
    async def main() -> None:
        async with sqlite.Connection(":memory:") as connection:
            await connection.execute("PRAGMA foreign_keys = ON")
            await connection.execute(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, up REFERENCES t DEFERRABLE INITIALLY DEFERRED)"
            )
            with pytest.raises(sqlite.Error, match="FOREIGN KEY constraint failed"):
                async with connection.transaction() as transaction:
                    await transaction.execute("INSERT INTO t VALUES (1, 2)")
            assert await connection.execute("SELECT count(*) FROM t") == [(0,)]

    run(main)


def test_transactions_of_many_tasks_are_not_mixed(run: Run) -> None:
    async def main() -> None:
        async with sqlite.Connection(":memory:") as connection:
            await prepared(connection)
            tasks = [spawn(move(connection, n % 3)) for n in range(50)]
            for _ in range(10):
                assert sum(await balances(connection)) == 200
            await results(tasks)
            assert await balances(connection) == [200 - 149, 149]

    run(main)


@pytest.mark.parametrize("each", [cancelled_at_each_point, cancelled_after_turns])
def test_transaction_that_is_cancelled_anywhere_is_whole_or_not_there(run: Run, tmp_path: Path, each: Any) -> None:
    seen = set()

    async def main() -> None:
        async with sqlite.Connection(tmp_path / "file") as connection, sqlite.Connection(tmp_path / "file") as other:
            await prepared(connection)
            before, kept = [100, 100], []

            async def check() -> None:
                assert await connection.execute("SELECT 42") == [(42,)]  # nobody has the connection any more
                now = await balances(other)
                assert now in (before, [before[0] - 1, before[1] + 1])
                seen.add(now == before)
                before[:] = now

            await each(lambda: move(connection, 1, kept), check)
            assert False in seen  # it ended by itself in the end

    run(main)


def test_statement_that_is_cancelled_while_it_waits_leaves_the_line(run: Run) -> None:
    async def main() -> None:
        async with sqlite.Connection(":memory:") as connection:
            await prepared(connection)
            async with connection.transaction() as transaction:
                await transaction.execute("UPDATE account SET balance = 0")
                waits = [await started(awaiting(balances(connection))) for _ in range(3)]
                await cancelled(waits[0], waits[2])
            assert await waits[1] == [0, 0]

    run(main)


def test_statement_that_runs_is_interrupted(run: Run) -> None:
    async def main() -> None:
        async with sqlite.Connection(":memory:") as connection:
            await prepared(connection)
            task, behind = await started(connection.execute(ENDLESS)), await started(balances(connection))
            await cancelled(task)
            assert await behind == [100, 100]

            async def in_transaction() -> None:
                async with connection.transaction() as transaction:
                    await transaction.execute("UPDATE account SET balance = 1")
                    await transaction.execute(ENDLESS)

            await cancelled(await started(in_transaction()))
            assert await balances(connection) == [100, 100]

    run(main)


@pytest.mark.parametrize("each", [cancelled_at_each_point, cancelled_after_turns])
def test_connection_that_is_cancelled_anywhere_is_closed(run: Run, tmp_path: Path, each: Any) -> None:
    async def connect() -> None:
        async with sqlite.Connection(tmp_path / "file") as connection:
            assert await connection.execute("SELECT 42") == [(42,)]

    async def check() -> None:
        gc.collect()  # the end of the test looks for open files

    async def main() -> None:
        await each(connect, check)

    run(main)


def test_transaction_that_is_dropped_is_rolled_back_by_the_next(run: Run) -> None:
    async def main() -> None:
        async with sqlite.Connection(":memory:") as connection:
            await prepared(connection)
            transaction = await connection.transaction().__aenter__()
            await transaction.execute("DELETE FROM account")
            del transaction
            gc.collect()
            assert await balances(connection) == [100, 100]
            for turns in range(6):
                begins = await started_by(connection.transaction().__aenter__(), turns)
                begins.close()
                del begins  # which has the transaction, if that was there at once
                assert await balances(connection) == [100, 100]

    async def started_by(coroutine: Any, turns: int) -> Any:
        """One that others drive no further."""
        if turns:
            with contextlib.suppress(StopIteration):  # it may be there at once
                coroutine.send(None)
            await settle(turns)
        return coroutine

    run(main)


def test_transaction_that_is_dropped_leaves_the_file_to_others(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with sqlite.Connection(tmp_path / "file") as connection, sqlite.Connection(tmp_path / "file") as other:
            await prepared(connection)
            transaction = await connection.transaction().__aenter__()
            await transaction.execute("DELETE FROM account")
            del transaction
            gc.collect()
            await move(other, 1)
            assert await balances(other) == [99, 101]

    run(main)


def test_exit_that_is_never_awaited_ends_no_other_lock(run: Run) -> None:
    async def main() -> None:
        async with sqlite.Connection(":memory:") as connection:
            await prepared(connection)
            begun = connection.transaction()
            async with connection.transaction():
                begins = await started(awaiting(begun.__aenter__()))  # waits for the other one
                begun.__aexit__(None, None, None).close()
            await results([begins])
            await begun.execute("UPDATE account SET balance = 0")
            await begun.__aexit__(None, None, None)
            assert await balances(connection) == [0, 0]

    run(main)


def test_cancel_is_heard_while_another_has_the_file(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        file = tmp_path / "file"
        async with sqlite.Connection(file) as owner, sqlite.Connection(file) as other:
            await owner.execute("PRAGMA locking_mode = EXCLUSIVE")
            await prepared(owner)
            waits = await started(awaiting(balances(other)))  # for the file: it gives up after some seconds
            await sleep(0.1)
            async with sqlite.Connection(file) as connection:
                task = await started(awaiting(balances(connection)))
                await sleep(0.05)  # until SQLite waits for it as well
                await cancelled(task)
            assert not waits.done()
            await cancelled(waits)

    run(main)


def test_misuse_of_a_transaction_is_an_error(run: Run) -> None:
    async def main() -> None:
        async with sqlite.Connection(":memory:") as connection:
            await prepared(connection)
            transaction = connection.transaction()
            for begun in (False, True):
                with pytest.raises(sqlite.Error, match="the transaction has ended"):
                    await transaction.execute("SELECT 1")
                with pytest.raises(sqlite.Error, match="the transaction has ended"):
                    await transaction.__aexit__(None, None, None)
                if not begun:
                    async with transaction:
                        await transaction.execute("SELECT 1")
            with pytest.raises(RuntimeError, match="entered once"):
                await transaction.__aenter__()
            with pytest.raises(sqlite.Error, match="cannot commit - no transaction is active"):
                async with connection.transaction() as transaction:
                    await transaction.execute("ROLLBACK")
                    with pytest.raises(sqlite.Error, match="there is no transaction any more"):
                        await transaction.execute("DELETE FROM account")
            assert await balances(connection) == [100, 100]
            with pytest.raises(TypeError):
                type(transaction)()

    run(main)
