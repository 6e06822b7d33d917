"""Look up users, all of them at once, on the threads of the pool.

python examples/blocking_call/demo.py [USER]...        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import sys

from blocking_call import user


async def describe(name: str) -> str:
    """One line about a user."""
    try:
        uid, home, shell = await user(name)
    except KeyError as error:
        return f"{name}: {error.args[0]}"
    return f"{name}: uid {uid}, home {home}, shell {shell}"


async def main() -> None:
    """One lookup for each name, side by side."""
    for line in await asyncio.gather(*map(describe, sys.argv[1:] or ["root", "nobody", "no-such-user"])):
        print(line)


if __name__ == "__main__":
    asyncio.run(main())
