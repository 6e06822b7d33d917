"""Look up users, all of them at once, on the threads of the pool; or one, without a loop.

python examples/blocking_call/demo.py [USER]...        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import sys

from blocking_call import user, user_now


async def describe(name: str) -> str:
    """One line about a user."""
    try:
        uid, home, shell = await user(name)
    except KeyError as error:
        return f"{name}: {error.args[0]}"
    return f"{name}: uid {uid}, home {home}, shell {shell}"


async def describe_all(names: list[str]) -> None:
    """One lookup for each name, side by side."""
    for line in await asyncio.gather(*map(describe, names)):
        print(line)


def main() -> None:
    """A single lookup needs no loop; a Ctrl-C ends it all the same."""
    names = sys.argv[1:] or ["root", "nobody", "no-such-user"]
    if len(names) == 1:
        print(*user_now(names[0]))
    else:
        asyncio.run(describe_all(names))


if __name__ == "__main__":
    main()
