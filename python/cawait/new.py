"""python -m cawait new: a small complete project, to begin with.

It has an async function on a thread of its own, a stream and an async function in C, with types, tests on asyncio and
trio, and a workflow that builds wheels.
"""

from __future__ import annotations

import keyword
import os
import re
import sys
import tempfile
from pathlib import Path

import cawait
from cawait._needs import missing

TEMPLATES = Path(__file__).with_name("templates")
# The folders of the templates that make a project, and its source file.
BUILDS = {
    "setuptools": (("common", "c", "setuptools"), "native.c"),
    "meson": (("common", "c", "meson"), "native.c"),
    "cmake": (("common", "c", "cmake"), "native.c"),
    "cython": (("common", "cython"), "_native.pyx"),
}
GIT = "git init && git add . && git commit -m 'First version'   # of these files Meson makes the source distribution\n"
RENAMED = {"gitignore": ".gitignore", "github": ".github"}  # hidden files get lost on their way into packages


class Refused(Exception):
    """Why there is no project, in one sentence."""


def check_name(name: str) -> None:
    """Whether Python can import a package of this name, and nothing else has it."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise Refused(f"{name!r} cannot be the name of a package: take lower case letters, digits and _")
    if name in sys.stdlib_module_names or name == "cawait":
        raise Refused(f"{name!r} is the name of another module: take a name of your own")


def contents(name: str, build: str) -> dict[Path, str]:
    """The files of a project: path -> text."""
    series = ".".join(cawait.__version__.split(".")[:2])
    upper = re.sub(r"\d+$", lambda last: str(int(last[0]) + 1), series)
    folders, source = BUILDS[build]
    words = {"NAME": name, "SOURCE_FILE": f"src/{name}/{source}", "CAWAIT_SERIES": series, "CAWAIT_NEXT": upper}
    lines = {
        "# PROJECT_TABLES\n": (TEMPLATES / "common" / "project.toml").read_text(encoding="utf-8"),
        "BEFORE_BUILD\n": GIT if build == "meson" else "",
    }
    files: dict[Path, str] = {}
    for folder in folders:
        for path in sorted((TEMPLATES / folder).rglob("*")):
            parts = [
                RENAMED.get(part, part).replace("NAME", name) for part in path.relative_to(TEMPLATES / folder).parts
            ]
            if path.is_file() and path.name != "project.toml" and "__pycache__" not in parts:
                text = path.read_text(encoding="utf-8")
                for line, value in lines.items():
                    text = text.replace(line, value)
                files[Path(*parts)] = re.sub(rf"\b({'|'.join(words)})\b", lambda found: words[found[1]], text)
    return files


def make(name: str, build: str, parent: Path) -> Path:
    """Make the project in a folder of its name. All of it is there, or nothing."""
    check_name(name)
    folder = parent / name
    if os.path.lexists(folder):
        raise Refused(f"{folder} exists already: nothing was changed; take another name or folder")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=parent) as made:
            for path, text in contents(name, build).items():
                target = Path(made, "project", path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            os.rename(Path(made, "project"), folder)
    except OSError as error:
        raise Refused(f"cannot write to {parent.absolute()}: {error.strerror}") from error
    return folder


def main(name: str, build: str, parent: str) -> int:
    """Make it, and say what comes next."""
    try:
        folder = make(name, build, Path(parent))
    except Refused as refused:
        print(f"cawait: {refused}", file=sys.stderr)
        return 1
    print(f"{folder}: an extension, built by {build}. Next:\n")
    print(f"    cd {folder}\n    python -m pip install '.[test]'\n    python -m pytest\n")
    for text in missing():
        print(f"cawait: {text}", file=sys.stderr)
    return 0
