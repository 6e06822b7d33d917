"""The gates in addition to the tests: format, layers, warnings as errors, no Python, joined source, instructions,
sanitizers.

    build/venv/bin/python tools/check.py [STEP]...     only the steps whose name contains one of these words
    build/venv/bin/python tools/check.py --format      lay out the C files instead

`make check` calls it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import count
import layers
import snippets
from build import meson_build, run_c_tests
from common import (
    BIN,
    BUILD,
    JOBS,
    ONE_OF_EACH_KIND,
    RESULTS,
    ROOT,
    Failure,
    Row,
    junit_row,
    run,
    run_quietly,
    step,
    summary,
)
from interpreters import choose, discover

C_FOLDERS = ("include", "src", "tests", "examples", "bench")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")
PYTHON_HEADERS = ("-isystem", sysconfig.get_path("include"))
# As authors have it, who turn every warning into an error: Python's headers are no system headers, so what those of the
# system define for a strict C11 with threads must not be defined before.
PRINT_INCLUDE = "import sysconfig; print(sysconfig.get_path('include'))"
STRICT = ("-std=c11", "-pthread", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
COMPILERS = {"gcc": "-std=c11", "clang": "-std=c11", "g++": "-std=c++17", "clang++": "-std=c++17"}
STANDARDS = {"c": (("gcc", "clang"), ("c11", "c17", "c2x")), "cpp": (("g++", "clang++"), ("c++17", "c++20"))}
NEEDED = {**{name: name for name in COMPILERS}, "setarch": "util-linux", "valgrind": "valgrind"}
# What runs under ASan: on one interpreter a kind of framework for each part of our C code, and the kind with C code of
# others; on another one the first alone.
ASAN_PYTHONS = {"3.12": ("--kinds=one-each,uvloop",), "3.10": ONE_OF_EACH_KIND}
QUICK = ["--no-suite=long"]  # the C tests that are run once more for another compiler


def c_files() -> list[Path]:
    """Every C and C++ file and header of the tree."""
    found = [path for folder in C_FOLDERS for ending in ("*.[ch]", "*.cpp") for path in (ROOT / folder).rglob(ending)]
    return sorted(path for path in found if "build" not in path.relative_to(ROOT).parts)


def clang_format(*options: str) -> Row:
    """Check the layout, or with other options correct it."""
    run_quietly([BIN / "clang-format", *(options or ("--dry-run", "--Werror")), *c_files()])
    return Row("", passed=1)


def shape() -> Row:
    """The layers; the snippets of the documents; every Python file compiles and has no undefined names."""
    if wrong := layers.problems() + snippets.problems():
        raise Failure(f"{len(wrong)} problems\n" + "\n".join(wrong))
    folders = [ROOT / name for name in ("tools", "tests", "examples", "bench", "python")]
    env = {"PYTHONPYCACHEPREFIX": str(BUILD / "pycache"), "PYTHONDONTWRITEBYTECODE": ""}
    run_quietly([sys.executable, "-m", "compileall", "-q", *folders, ROOT / "tools" / "amalgamate"], env)
    options = ["--isolated", "--no-cache", "--select", "F,E9", "--output-format", "concise"]
    run_quietly([BIN / "ruff", "check", *options, *folders, ROOT / "tools" / "amalgamate"])
    return Row("", passed=3)


def tests_of_tools() -> Row:
    """The tests of the tools: each rule of the layers can fail, and the tests named in docs/laws.md exist."""
    report = RESULTS / "pytest-tools.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    options = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "120", f"--junitxml={report}"]
    return junit_row(report, run([sys.executable, *options, "tests/tools"]))


def run_all(commands: list[list[str | Path]]) -> Row:
    """Run commands that are quick, several at a time; none may fail."""
    with ThreadPoolExecutor(int(JOBS)) as pool:
        list(pool.map(run_quietly, commands))
    return Row("", passed=len(commands))


def compiles(source: Path, compiler: str, standard: str, *options: str) -> list[str | Path]:
    """The command that compiles a file that uses the public headers in a standard, with every warning that authors turn
    on."""
    warnings = [*WARNINGS, "-Wconversion", *(["-Wold-style-cast"] if "++" in compiler else [])]
    flags = [standard, *warnings, "-fsyntax-only", f"-I{ROOT / 'include'}", *options, *PYTHON_HEADERS]
    return [compiler, *flags, source]


def headers_of_each_python() -> Row:
    """For each series of CPython here: each header that needs Python, separate and joined, and the joined sources."""
    folder, include = BUILD / "headers", ROOT / "include"
    joined = folder / "joined"
    run_quietly([BIN / "python", ROOT / "tools" / "amalgamate", joined])
    separate = [f"{name}.h" for name in sorted(layers.LAYOUT.with_python)]
    commands: list[list[str | Path]] = []
    for python in {one.series: one for one in discover() if not one.problem}.values():
        strict = [*STRICT, "-fsyntax-only", f"-I{run_quietly([python.path, '-c', PRINT_INCLUDE]).strip()}"]
        both = [(joined, "cawait.h"), (joined, "cawait_testing.h")]
        for where, name in [*((include, name) for name in separate), *both]:
            source = folder / python.name / where.name / name.replace("/", "_").replace(".h", ".c")
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(f"#include <{name}>\n#include <Python.h>\n#include <unistd.h>\nextern int unused;\n")
            compilers = ("gcc", "clang") if where == joined else ("gcc",)
            commands += [[compiler, *strict, f"-I{where}", source] for compiler in compilers]
        commands += [["gcc", *strict, f"-I{joined}", joined / name] for name in ("cawait.c", "cawait_testing.c")]
    return run_all(commands)


def headers() -> Row:
    """Each public header compiles by itself with each compiler; code that uses them compiles in each standard."""
    folder = BUILD / "headers"
    folder.mkdir(parents=True, exist_ok=True)
    commands = []
    include = ROOT / "include"
    for header in sorted(include.rglob("*.h")):
        for compiler, standard in COMPILERS.items():
            name = header.relative_to(include).as_posix().replace("/", "_")
            source = folder / f"{name}.{'cpp' if '++' in compiler else 'c'}"
            source.write_text(f'#include "{header.relative_to(include)}"\n')
            commands.append(compiles(source, compiler, standard))
    for suffix, (compilers, standards) in STANDARDS.items():
        user = folder / f"user.{suffix}"
        user.write_text('#include "user.h"\n#include "user_of_python.h"\n')
        for source in (user, *(ROOT / "tests" / "python" / "support").rglob("*.cpp")) if suffix == "cpp" else (user,):
            for compiler in compilers:
                for standard in standards:
                    tests = f"-I{ROOT / 'tests' / 'headers'}"
                    commands.append(compiles(source, compiler, f"-std={standard}", tests))
    return run_all(commands)


def locals_across_awaits() -> Row:
    """No local variable of an async function lives across an await: where the words are a `switch`, a resume jumps over
    its initialiser."""
    options = ["-std=c11", "-D_GNU_SOURCE", "-DCAW_ASYNC_SWITCH", "-Wjump-misses-init", "-Werror", "-fsyntax-only"]
    places = [f"-I{ROOT / folder}" for folder in ("include", "src", "tests/c")]
    bodies = re.compile(r"CAW_(ROUTINE|GENERATOR) ?\(")
    sources = [path for path in c_files() if path.suffix == ".c" and bodies.search(path.read_text())]
    return run_all([["gcc", *options, *places, *PYTHON_HEADERS, source] for source in sources])


def joined_source() -> Row:
    """The joined source compiles, with and without Python, and its headers in a C++ file; not with the limited API.

    As with setuptools, Python's headers are no system headers here: what they define must not be defined before."""
    folder = BUILD / "joined"
    run_quietly([ROOT / "tools" / "amalgamate", folder])
    row = Row("")
    commands: list[list[str | Path]] = []
    for name in ("cawait", "cawait_testing"):
        user = folder / f"user_of_{name}.cpp"
        user.write_text(f"#include <{name}.h>\nint main() {{ return caw_now_ns() == 0; }}\n")
        for compiler, standard in COMPILERS.items():
            command = [compiler, standard, f"-I{folder}", "-pthread", "-o", os.devnull, "-c"]
            command.append(user if "++" in compiler else folder / f"{name}.c")
            pythons = ("-DCAW_NO_PYTHON", f"-I{PYTHON_HEADERS[1]}")
            commands += [[*command, *WARNINGS, "-O1", python] for python in pythons]
            refuses_limited_api([*command, *PYTHON_HEADERS])
            row.passed += 1
    row.passed += run_all(commands).passed
    return row


def refuses_limited_api(command: list[str | Path]) -> None:
    """With Py_LIMITED_API there is one clear error, instead of one for each thing that the limited API lacks."""
    try:
        run_quietly([*command, "-DPy_LIMITED_API=0x030A0000"])
    except Failure as failure:
        errors = re.findall(r"error: (.*)", str(failure))
        if len(errors) != 1 or "build without Py_LIMITED_API" not in errors[0]:
            raise
    else:
        raise Failure(f"{command[-1]} compiles with Py_LIMITED_API")


def warnings_as_errors(compiler: str, buildtype: str) -> Row:
    """Build everything with every warning as an error, and run the C tests of that build, unless it is compiled as for
    `make test`, where they run."""
    options = {
        "python": "enabled",
        "python_exe": sys.executable,
        "werror": "true",
        "bench": "true",
        "buildtype": buildtype,
    }
    compilers = {"CC": compiler, "CXX": {"gcc": "g++", "clang": "clang++"}[compiler]}
    folder = meson_build(BUILD / f"werror-{compiler}-{buildtype}", options, compilers)
    same = (compiler, buildtype) == ("gcc", "debugoptimized")
    return Row("", passed=1) if same else run_c_tests(folder, QUICK)


def without_python() -> Row:
    """The core and its tests build without Python headers: here any use of them is an error. `make test` runs them."""
    poison = BUILD / "poison"
    poison.mkdir(parents=True, exist_ok=True)
    (poison / "Python.h").write_text("#error the core uses no Python\n")
    options = {"python": "disabled", "werror": "true", "c_args": f"-I{poison}"}
    meson_build(BUILD / "no-python", options)
    return Row("", passed=1)


def summed(rows: list[Row]) -> Row:
    """The sum of rows."""
    return Row("", *(sum(getattr(one, key) for one in rows) for key in ("passed", "failed", "skipped")))


def sanitized(name: str, *options: str) -> Row:
    """A run of tools/test.py under a sanitizer; its rows are summed into one."""
    code = run([sys.executable, ROOT / "tools" / "test.py", "--results", name, *options])
    rows = [Row(**row) for row in json.loads((RESULTS / f"{name}.json").read_text())] if code in (0, 1) else []
    row = summed(rows)
    if code != 0 and row.failed == 0:
        raise Failure(f"tools/test.py ended with exit code {code}")
    return row


def address_sanitizer() -> Row:
    """The C tests and the Python suite under ASan, UBSan and the leak check."""
    here = [one for one in discover() if not one.problem]
    chosen: dict[str, tuple[str, ...]] = {}
    for want, pytest_args in ASAN_PYTHONS.items():  # where one is not here, the newest; once, and then all of it
        chosen.setdefault((choose(here, [want]) or here[-1:])[0].name, pytest_args)
    rows = [sanitized("asan-c", "--sanitize", "address", "--only", "c")]
    for name, pytest_args in chosen.items():
        options = ["--sanitize", "address", "--only", "python", "--python", name]
        rows.append(sanitized(f"asan-{name}", *options, "--", *pytest_args))
    return summed(rows)


def thread_sanitizer() -> Row:
    """The C tests with real contention under TSan."""
    return sanitized("tsan", "--sanitize", "thread", "--only", "c", "--suite", "threads")


STEPS: dict[str, Callable[[], Row]] = {
    "format": clang_format,
    "layers": shape,
    "tests of tools": tests_of_tools,
    "headers": headers,
    "headers of each Python": headers_of_each_python,
    "joined source": joined_source,
    "locals": locals_across_awaits,
    "gcc -Werror": lambda: warnings_as_errors("gcc", "debugoptimized"),
    "gcc -Werror, release": lambda: warnings_as_errors("gcc", "release"),
    "clang -Werror": lambda: warnings_as_errors("clang", "debugoptimized"),
    "no Python": without_python,
    "bench-count": count.gate,
    "address, undefined, leaks": address_sanitizer,
    "threads": thread_sanitizer,
}


def main() -> int:
    """Do the steps and print the table."""
    if sys.argv[1:] == ["--format"]:
        clang_format("-i")
        return 0
    missing = sorted({package for command, package in NEEDED.items() if shutil.which(command) is None})
    if missing:
        print(
            f"Run this as root, then make check again:\n\n    apt-get install -y {' '.join(missing)}\n", file=sys.stderr
        )
        return 2
    chosen = [name for name in STEPS if not sys.argv[1:] or any(word in name for word in sys.argv[1:])]
    return summary("check", [step(name, STEPS[name]) for name in chosen])


if __name__ == "__main__":
    sys.exit(main())
