"""Many tasks move money between accounts over one connection of SQLite; some of them fail, some are cancelled.

python examples/sqlite/demo.py        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from pathlib import Path

from sqlite import Connection, Error

ACCOUNTS, TRANSFERS = 10, 200


async def transfer(connection: Connection, giver: int, taker: int, amount: int) -> None:
    """Both changes or none; the check of the table refuses a balance below zero."""
    async with connection.transaction() as transaction:
        for account, change in ((taker, amount), (giver, -amount)):
            await transaction.execute("UPDATE account SET balance = balance + ? WHERE id = ?", (change, account))
            await asyncio.sleep(0)


async def transfers(connection: Connection) -> dict[str, int]:
    """All at once, each third one cancelled in the middle; how they ended."""
    amounts = [n % 60 for n in range(TRANSFERS)]
    amounts[1] = 10_000  # more than there is
    tasks = [
        asyncio.ensure_future(transfer(connection, n % ACCOUNTS, n * 7 % ACCOUNTS, amount))
        for n, amount in enumerate(amounts)
    ]
    for n, task in enumerate(tasks[::3]):
        asyncio.get_running_loop().call_later(n / 5000, task.cancel)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    kinds = [type(one).__name__ for one in ended]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


async def main() -> None:
    """Make a table, change it, and look at it by the standard library."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bank"
        async with Connection(path) as connection:
            await connection.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INT CHECK (balance >= 0))")
            for number in range(ACCOUNTS):
                await connection.execute("INSERT INTO account VALUES (?, ?)", (number, 100))
            ended = await transfers(connection)
            print(f"{sum(ended.values())} transfers have ended: {', '.join(ended)}", file=sys.stderr)
            print("in all:", *await connection.execute("SELECT sum(balance), count(*) FROM account"))
            try:
                await connection.execute("SELECT * FROM no_such_table")
            except Error as error:
                print(error)
        with sqlite3.connect(path) as same:
            print("by the standard library:", *same.execute("SELECT sum(balance), count(*) FROM account"))
        same.close()


if __name__ == "__main__":
    asyncio.run(main())
