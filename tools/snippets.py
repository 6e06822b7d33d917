"""Code in the documentation is compiled code: it is included from a source file, by marker.

    tools/snippets.py            prints what differs, with exit code 1
    tools/snippets.py --write    brings the documentation up to date

The source has `/* [name] */` above the code and `/* [/name] */` below it; the document has `<!-- snippet: FILE [name]
-->` above the fenced block.
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
    """The document with the snippets of the sources."""
    return INCLUDE.sub(lambda m: m[1] + snippet(m[2], m[3]) + m[5], text)


def problems(write: bool = False) -> list[str]:
    """The documents whose snippets differ from the sources; with `write` they are corrected."""
    wrong = []
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        if (new := updated(text)) != text:
            wrong.append(f"{name}: a snippet differs from its source; tools/snippets.py --write corrects it")
            if write:
                path.write_text(new, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    found = problems(write="--write" in sys.argv[1:])
    print("\n".join(found) or "the snippets agree with the sources")
    sys.exit(1 if found and "--write" not in sys.argv[1:] else 0)
