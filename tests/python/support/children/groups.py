"""How a task group of the installed anyio takes the two kinds of coroutines: for test_python_coroutine.py."""

import sys
from importlib.metadata import version

import anyio

import _cawait_test as t


async def start(method):
    """Start an operation in a group; return how that ends."""
    op, made = t.Op("value"), []

    def make():
        made.append(getattr(op, method)())
        return made[0]

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(make)
            op.resolve_later(100)
    except BaseException as error:  # a group of them
        made[0].close()  # anyio does not close it
        return ", ".join(type(one).__name__ for one in error.exceptions)
    return op.value if op.resolved == op.freed == 1 else "not awaited"


async def main():
    for method in ("wait_python", "wait"):
        print(f"{method}: {await start(method)}")


def start_both(backend):
    print(version("anyio"))
    anyio.run(main, backend=backend)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
