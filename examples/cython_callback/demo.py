"""Measure with all sensors at once, and one that is not there.

python setup.py build_ext --inplace && python demo.py        in this folder
"""

from __future__ import annotations

import asyncio
import sys

from thermometer import temperature

CHANNELS = range(8)


async def main() -> None:
    """Measure, check, fail."""
    degrees = await asyncio.gather(*(temperature(channel) for channel in CHANNELS))
    print("degrees Celsius:", *degrees)
    if degrees != [20 + channel / 2 for channel in CHANNELS]:
        sys.exit("a measurement got the value of another one")
    try:
        await temperature(8)
    except OSError as error:
        print(f"sensor 8: {error.strerror}")
    else:
        sys.exit("sensor 8 is there")


if __name__ == "__main__":
    asyncio.run(main())
