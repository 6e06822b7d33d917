"""A right use of the modules: type checkers find nothing to say."""

from collections.abc import Awaitable
from pathlib import Path

import blocking_call
import event_source
import file_lines
import shapes
import sqlite


async def use_functions() -> bytes:
    uid, home, shell = await blocking_call.user("root")
    same: tuple[int, str, str] = blocking_call.user_now(home + shell)
    assert uid == same[0] + 1
    later: Awaitable[bytes] = shapes.draw(shapes.Shape(3), size=None, mode="line")
    return await later + shapes.draw_now(shapes.Square(sides=4))


async def use_streams() -> list[int]:
    lines = file_lines.lines(Path("file"))
    words = [word async for line in lines for word in line.split()]
    await lines.aclose()
    sizes = [size + len(path) + len(words) async for path, size in event_source.walk("a", Path("b"))]
    return sizes + [x * y async for x, y in shapes.corners(shapes.Form())]


async def use_types() -> float:
    async with sqlite.Connection("file") as connection, connection.transaction() as transaction:
        rows = await transaction.execute("SELECT ?", (1,))
    shape = shapes.Shape().scale(2.0)
    shape.sides = len(shape)
    await shape.draw(Path("file"))
    names: list[str] = [shape.name, *shapes.list(), *shapes.Shape.known(), *map(str, rows)]
    square: shapes.Square = shapes.Square.unit()
    most: int | None = shapes.NAMES["a"]
    return shapes.area(square) + shapes.MOST + shapes.LIMITS[1] + len(names) + (most or 0)


def use_errors() -> None:
    try:
        raise sqlite.Error("no")
    except (sqlite.Error, shapes.Error, shapes.Failure) as error:
        print(error)
