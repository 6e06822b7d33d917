"""Which sources define and use each symbol, by their object files: each is compiled once more, without optimising.

So every call is seen, also one that a compiler would inline, and a table of functions counts as a use of each.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import identity
from common import BUILD, ROOT

DEFINED = set("TDBRVWCGSu")  # nm's letters of global symbols; u is a unique one


@dataclass
class Symbols:
    """The symbols that the sources define and use, by the name of the source."""

    defined: dict[str, set[str]] = field(default_factory=dict)  # source -> its global symbols
    used: dict[str, set[str]] = field(default_factory=dict)  # source -> symbols of others
    definers: dict[str, list[str]] = field(default_factory=dict)  # symbol -> sources
    failed: dict[str, str] = field(default_factory=dict)  # source -> the compiler's message


def compiler() -> str:
    """The C compiler."""
    return next(filter(None, map(shutil.which, ("gcc", "cc", "clang"))), "cc")


def command(root: Path) -> list[str]:
    """The command that compiles a source, with the options of meson.build that change the meaning of the code."""
    flags = ["-std=c11", "-O0", "-w", "-D_GNU_SOURCE", f"-I{root / 'include'}", f"-I{root / 'src'}"]
    return [compiler(), *flags, "-isystem", sysconfig.get_path("include"), "-MMD"]


def key_of(words: list[str], depends: Path) -> str:
    """A hash of all that an object was made of: the command, what decides what that does, and the files that the
    compiler read."""
    digest = hashlib.sha256("\0".join([*words, *identity.of_build({"CC": words[0]})]).encode())
    for name in depends.read_text().replace("\\\n", " ").split()[1:]:
        digest.update(name.encode() + Path(name).read_bytes())
    return digest.hexdigest()


def compile_one(root: Path, source: str, target: Path) -> str:
    """Compile a source, unless nothing has changed; return the compiler's message if it fails, or an empty text."""
    words = [*command(root), "-c", str(root / source), "-o", str(target)]
    depends, key = target.with_suffix(".d"), target.with_suffix(".key")
    try:
        if target.exists() and key.read_text() == key_of(words, depends):
            return ""
    except OSError:
        pass  # a header is gone, or this is the first time
    target.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        target.unlink(missing_ok=True)
        return done.stderr or f"exit code {done.returncode}"
    key.write_text(key_of(words, depends))
    return ""


def read(root: Path, names: list[str]) -> Symbols:
    """Compile sources into build/symbols and read their symbols. Another tree than ours has a folder of its own."""
    found = Symbols()
    build = BUILD if root == ROOT else root / "build"
    objects = {name: build / "symbols" / f"{name}.o" for name in names}
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        texts = list(pool.map(lambda item: compile_one(root, *item), objects.items()))
    found.failed = {name: text for name, text in zip(objects, texts) if text}
    sources = {str(path): name for name, path in objects.items() if name not in found.failed}
    if not sources:
        return found
    output = subprocess.run(["nm", "-A", "-P", "-g", *sources], capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        path, _, rest = line.partition(": ")
        symbol, kind = rest.split()[:2]
        name = sources[path]
        if kind in DEFINED:
            found.defined.setdefault(name, set()).add(symbol)
            found.definers.setdefault(symbol, []).append(name)
        else:
            found.used.setdefault(name, set()).add(symbol)
    return found
