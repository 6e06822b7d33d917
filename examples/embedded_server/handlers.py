"""What answers the requests of embedded_server.c."""

import sys


async def handle(request: str) -> str:
    """The request in capitals, a little later."""
    if not request:
        raise ValueError("an empty request")
    if "trio" in sys.modules:
        import trio as library
    else:
        import asyncio as library
    await library.sleep(0.001)
    return request.upper()
