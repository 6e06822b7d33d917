"""Wrong uses of the modules. Behind each: what mypy calls it."""

from pathlib import Path

import blocking_call
import event_source
import file_lines
import shapes
import sqlite


async def misuse() -> None:
    await blocking_call.user(1)  # arg-type
    await blocking_call.user(name="root")  # call-arg
    await blocking_call.user_now("root")  # misc
    first: bytes = await blocking_call.user("root")  # assignment
    async for line in await file_lines.lines("file"):  # misc
        print(line)
    async for lines in file_lines.line_lists("file"):
        lines.upper()  # attr-defined
    event_source.walk("a", 2)  # arg-type
    await shapes.draw(shapes.Shape(), 3)  # call-arg
    await shapes.draw(shapes.Shape(), mode="dots")  # arg-type
    await shapes.load("file", "rest")  # arg-type
    shapes.Shape("four")  # arg-type
    shapes.Shape().name = "other"  # misc
    shapes.Shape().sides = "four"  # assignment
    await shapes.Shape().draw(3)  # arg-type
    await shapes.corners(shapes.Shape())  # misc
    await sqlite.Connection(Path("file")).execute(b"SELECT 1")  # arg-type
    sqlite.Connection("file").commit()  # attr-defined
    print(first, shapes.MOST.upper())  # attr-defined


class Round(shapes.Square):  # misc
    pass
