"""Code in the documentation is code that is compiled: it is included from a source file, by marker.

    tools/snippets.py            names what differs; exit code 1 then
    tools/snippets.py --write    brings the documentation up to date

In the source stands `/* [name] */` above and `/* [/name] */` below; in the document `<!-- snippet: FILE [name] -->`
above the fenced block.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "CONTRIBUTING.md")
INCLUDE = re.compile(r"(<!-- snippet: (\S+) \[(\w+)\] -->\n+```\w*\n)(.*?)(```)", re.DOTALL)


def snippet(name: str, marker: str) -> str:
    """The text between the markers in a source file, the whole of its lines."""
    text = (ROOT / name).read_text(encoding="utf-8")
    match = re.search(rf"/\* \[{marker}\] \*/\n(.*?)[ \t]*/\* \[/{marker}\] \*/", text, re.DOTALL)
    if not match:
        sys.exit(f"snippets: {name} has no [{marker}]")
    return match[1].rstrip("\n") + "\n"


def updated(text: str) -> str:
    """A document with its snippets as the sources have them."""
    return INCLUDE.sub(lambda m: m[1] + snippet(m[2], m[3]) + m[5], text)


def problems(write: bool = False) -> list[str]:
    """The documents whose snippets are not the sources' (and, when asked to, made so)."""
    wrong = []
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        if (new := updated(text)) != text:
            wrong.append(f"{name}: a snippet differs from its source; tools/snippets.py --write mends it")
            if write:
                path.write_text(new, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    found = problems(write="--write" in sys.argv[1:])
    print("\n".join(found) or "the snippets are those of the sources")
    sys.exit(1 if found and "--write" not in sys.argv[1:] else 0)
