"""Mistakes of an author's: the arguments are the loop, the function that makes it, and what that returns."""

import sys
from pathlib import Path

from loops import call, run

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.returns import ways


def mistake(kind, way, number):
    async def main():
        try:
            print("no exception:", await ways(int(number))[way]())
        except Exception as error:
            print(f"{type(error).__name__}: {error}")

    run(kind, main())


call(globals())
