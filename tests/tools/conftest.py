"""The tools are modules of the folder tools, and the benchmarks' of the folder bench."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for name in ("bench", "tools"):
    sys.path.insert(0, str(ROOT / name))
