"""Add up what tools/test.py and tools/check.py counted; the last line of a whole gate run."""

from __future__ import annotations

import json
import sys

from common import RESULTS, Row, total

if __name__ == "__main__":
    # a kind without counts has failed before its table
    counts = [RESULTS / f"{kind}.json" for kind in sys.argv[1:]]
    rows = [Row(f"no results: {path.name}", failed=1) for path in counts if not path.exists()]
    rows += [Row(**row) for path in counts if path.exists() for row in json.loads(path.read_text())]
    print(total(rows))
    sys.exit(1 if not rows or any(row.failed for row in rows) else 0)
