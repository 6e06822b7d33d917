"""Files, looked at without blocking the loop."""

from ._native import checksum, chunks, settled

__all__ = ["checksum", "chunks", "settled"]
