"""Fetch the heads of URLs, all at once, and print the first line of each.

python examples/fetch_heads/demo.py URL...        with the folder of the built module on PYTHONPATH
"""

from __future__ import annotations

import asyncio
import sys

from fetch_heads import fetch_heads


async def main(urls: list[str]) -> None:
    """No more than ten connections at a time, two seconds for each, ten for all."""
    heads = await fetch_heads(urls, limit=10, timeout=2, total=10)
    for url, (code, head) in zip(urls, heads):
        print(url, head.splitlines()[0] if code else head, sep=": ")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
