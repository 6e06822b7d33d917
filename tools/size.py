"""How large an extension with one async function is, and where the bytes go.

    build/venv/bin/python tools/size.py [PYTHON]       PYTHON: the beginning of a version; default 3.12

examples/blocking_call is built from the joined source by setuptools, as an author would build it, and stripped. It is
built with setuptools' own flags, and with flags that let the linker leave out what is never called.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from common import BIN, BUILD, ROOT, Failure, run_quietly
from interpreters import Interpreter, choose, discover, make_environment

FOLDER = BUILD / "size"
JOINED = FOLDER / "joined"
SECTIONS = ("-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"), ("-Wl,--gc-sections",)
VARIANTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "setuptools": ((), ()),
    "gc-sections": SECTIONS,
    "gc-sections, -O2, no unwind tables": ((*SECTIONS[0], "-O2", "-fno-asynchronous-unwind-tables"), SECTIONS[1]),
}
KINDS = {
    "code": (".text", ".plt", ".plt.got", ".plt.sec", ".init", ".fini"),
    "data": (".rodata", ".data", ".data.rel.ro", ".bss", ".tbss"),
    "unwind tables": (".eh_frame", ".eh_frame_hdr"),
}
SHOWN = "gc-sections"  # the variant whose bytes are shown
SETUP = """\
from setuptools import Extension, setup

setup(
    name="size",
    packages=[],
    ext_modules=[
        Extension(
            "blocking_call",
            {sources!r},
            include_dirs=[{include!r}],
            extra_compile_args={compile!r},
            extra_link_args={link!r},
        )
    ],
)
"""


def build(folder: Path, python: Path, compile_args: tuple[str, ...], link_args: tuple[str, ...]) -> Path:
    """Build the extension in a folder; return its file, which is not stripped."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sources = [ROOT / "examples" / "blocking_call" / "blocking_call.c", JOINED / "cawait.c"]
    for source in sources:
        shutil.copy(source, folder)
    text = SETUP.format(
        sources=[source.name for source in sources],
        include=str(JOINED),
        compile=["-std=c11", "-pthread", *compile_args],
        link=["-pthread", *link_args],
    )
    (folder / "setup.py").write_text(text)
    run_quietly([python, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder)
    return next(folder.glob("*.so"))


def stripped_size(module: Path) -> int:
    """The size of the file without its symbols."""
    stripped = module.with_suffix(".stripped")
    run_quietly(["strip", "-o", stripped, module])
    return stripped.stat().st_size


def sections(module: Path) -> Counter[str]:
    """Bytes of the loaded sections by kind."""
    kinds: Counter[str] = Counter()
    for line in run_quietly(["size", "-A", module]).splitlines():
        if match := re.match(r"(\.\S+)\s+(\d+)\s+[1-9]", line):
            kind = next((kind for kind, names in KINDS.items() if match[1] in names), "symbols and relocations")
            kinds[kind] += int(match[2])
    return kinds


def places() -> list[str]:
    """The room that each line of cawait.c comes from."""
    found, inside = [""], [""]
    for line in (JOINED / "cawait.c").read_text().splitlines():
        if match := re.match(r"/\* ---- (end of )?(?:src|include)/(\S+)/\S+ ---- \*/", line):
            inside.pop() if match[1] else inside.append(match[2])
        found.append(inside[-1])
    return found


def rooms(module: Path) -> Counter[str]:
    """Bytes of functions and tables by room, according to the debugging information."""
    place, found = places(), Counter[str]()
    for line in run_quietly(["nm", "-S", "-l", "--defined-only", module]).splitlines():
        if match := re.match(r"\S+ ([0-9a-f]+) [a-zA-Z] \S+(?:\t.*/(\S+):(\d+))?$", line):
            ours = match[2] == "cawait.c"
            found[place[int(match[3])] if ours else "the extension itself"] += int(match[1], 16)
    return found


def chosen(pattern: str) -> Interpreter:
    """The interpreter of this version."""
    found = [one for one in choose(discover(), [pattern]) if not one.problem]
    if not found:
        raise Failure(f"no CPython {pattern} here that can build extensions")
    make_environment(found[-1])
    return found[-1]


def table(title: str, numbers: Mapping[str, int]) -> None:
    """Print numbers, the largest first."""
    print(f"\n{title}")
    for name, number in sorted(numbers.items(), key=lambda item: -item[1]):
        print(f"{number:>9,}  {name}")


def main() -> None:
    """Build each variant and print the tables."""
    interpreter = chosen(sys.argv[1] if len(sys.argv) > 1 else "3.12")
    run_quietly([BIN / "python", ROOT / "tools" / "amalgamate", JOINED])
    modules = {
        name: build(FOLDER / re.sub(r"\W+", "-", name), interpreter.python, *flags) for name, flags in VARIANTS.items()
    }
    sizes = {name: stripped_size(path) for name, path in modules.items()}
    table(f"bytes of the stripped file, CPython {interpreter.name}", sizes)
    table(f"what is loaded ({SHOWN})", sections(modules[SHOWN]))
    table(f"code and data by room ({SHOWN})", rooms(modules[SHOWN]))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
