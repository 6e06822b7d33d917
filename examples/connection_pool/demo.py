"""Hundreds of tasks share four connections of SQLite; some of them are cancelled.

python examples/connection_pool/demo.py        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from connection_pool import Pool


async def main() -> None:
    """Write from many tasks, read it back, cancel some."""
    with tempfile.TemporaryDirectory() as folder:
        pool = Pool(Path(folder) / "file", size=4, prepare="CREATE TABLE IF NOT EXISTS t (number INTEGER)")
        many = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10) INSERT INTO t SELECT i FROM n"
        await asyncio.gather(*(pool.execute(many) for _ in range(50)))
        [(count,)] = await pool.execute("SELECT count(*) FROM t")
        print(f"{count} rows were written, and are there")

        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        tasks = [asyncio.ensure_future(pool.execute(endless)) for _ in range(100)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        if not all(isinstance(one, asyncio.CancelledError) for one in ended):
            sys.exit("a task has ended by itself")
        print(f"after {len(tasks)} cancelled tasks the pool works:", await pool.execute("SELECT 42"))


if __name__ == "__main__":
    asyncio.run(main())
