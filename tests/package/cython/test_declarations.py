"""What `from cawait cimport *` declares is what the headers declare: every name, every signature, every field."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from Cython.Compiler import Errors, Main, Options
from Cython.Compiler.PyrexTypes import CPtrType
from cython_builds import ROOT, run

MODULES = ["cawait.core", "cawait.stream", "cawait.python", "cawait.testing"]
HEADERS = sorted((ROOT / "include" / "cawait").glob("*.h"))
# What is not declared, and why. A name that ends with a star stands for all that begin so.
NOT_DECLARED = {
    "caw__*": "private",
    "CAW__*": "private",
    "CAW_ERROR*": "a list for macros",
    "caw_async_*": "functions of async.h are written with its macros, which make no sense in Cython",
    "caw_generator_*": "likewise",
    "CAW_ASYNC_*": "likewise",
    "CAW_GENERATOR*": "likewise",
    "CAW_AWAIT*": "likewise",
    "CAW_ROUTINE": "likewise",
    "CAW_RETURN": "likewise",
    "CAW_TRY": "likewise",
    "CAW_YIELD": "likewise",
    "CAW_ARG": "likewise",
    "CAW_PY_FRAME": "likewise",
    "CAW_PY_ROUTINE": "likewise",
    "CAW_PY_GENERATOR": "likewise",
    "caw_all": "takes any number of futures: caw_all_array([a, b], 2)",
    "caw_race": "likewise",
    "caw_any": "likewise",
    "CAW_CONTAINER_OF": "has a type as its argument: a cast, where the member is the first",
    "CAW_SET": "sets a field in a row: functions[0].spec.cancel = ...",
    "CAW_SEMAPHORE_INIT": "for static variables: caw_semaphore_init",
    "CAW_BARRIER_INIT": "likewise",
    "caw_py_run*": "for programs whose main is C",
    "caw_py_stopper_*": "likewise",
    "CAW_PY_ASYNCIO": "likewise",
    "CAW_PY_UVLOOP": "likewise",
    "CAW_PY_TRIO": "likewise",
    "caw_test_main": "likewise",
    "CAW_TEST_*": "rows of tables of C: caw_test in cawait.testing; and the place in the C file: caw_test_check",
}
DECLARED = {"caw_async_trace"}  # although a pattern above matches it


def header_names() -> dict[str, str]:
    """The public functions, constants and macros with arguments, each with its header."""
    names = {}
    patterns = [
        r"^(?:CAW_API\b[^;(]*?|static inline [^(;]*?\n)\b(caw_\w+)\(",
        r"^    X\((CAW_\w+)",
        r"^\s*#\s*define (CAW_\w+|caw_\w+)\(",
    ]
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        found = [name for pattern in patterns for name in re.findall(pattern, text, flags=re.M)]
        for values in re.findall(r"typedef enum \w+ \{(.*?)\}", text, flags=re.S):
            found += re.findall(r"\bCAW_\w+", values)
        names.update(dict.fromkeys(found, header.name))
    return names


def header_fields(struct: str) -> set[str]:
    """The fields of a struct in the headers: their names, and those of its functions."""
    text = "\n".join(header.read_text() for header in HEADERS)
    body = re.search(rf"(?:struct|union) {struct} \{{(.*?)\n\}}", re.sub(r"/\*.*?\*/", "", text, flags=re.S), re.S)
    assert body, struct
    functions = re.findall(r"\(\*(\w+)\)\(", body[1])
    variables = re.findall(r"(\w+)(?:\[\w*\])?(?:, (\w+))?;", re.sub(r"\(\*\w+\)\([^;]*", "", body[1]))
    return set(functions) | {name for pair in variables for name in pair if name}


def is_excepted(name: str) -> bool:
    """Whether the list above says that it is not declared."""
    patterns = [re.escape(pattern).replace(r"\*", r"\w*") for pattern in NOT_DECLARED]
    return name not in DECLARED and any(re.fullmatch(pattern, name) for pattern in patterns)


@pytest.fixture(scope="module")
def entries() -> dict[str, Any]:
    """What the modules declare, as Cython has read it, by the names that Cython uses."""
    options = Main.CompilationOptions(Options.default_options, language_level=3, include_path=[str(ROOT / "python")])
    context = Main.Context.from_options(options)
    Errors.init_thread()
    scopes = [context.find_module(name, need_pxd=1) for name in MODULES]
    return {name: entry for scope in scopes for name, entry in scope.entries.items() if entry.scope is scope}


def test_every_public_name_of_the_headers_is_declared(entries: dict[str, Any]) -> None:
    names = header_names()
    assert len(names) > 350
    declared = {name.lstrip("_") for name in entries}
    assert {name: header for name, header in names.items() if name not in declared and not is_excepted(name)} == {}


def test_every_exception_is_needed(entries: dict[str, Any]) -> None:
    left_out = {name for name in header_names() if name not in entries}
    patterns = {key: re.escape(key).replace(r"\*", r"\w*") for key in NOT_DECLARED}
    assert [key for key, pattern in patterns.items() if not any(re.fullmatch(pattern, n) for n in left_out)] == []
    assert DECLARED <= entries.keys()


def test_every_field_of_a_table_is_declared(entries: dict[str, Any]) -> None:
    tables = [name for name in entries if re.fullmatch(r"caw_\w+_(ops|spec|def|start)|caw_test", name)]
    assert len(tables) > 15
    for name in tables:
        fields = {field.cname for field in entries[name].type.scope.entries.values()}
        assert header_fields(name) - fields <= {"arguments", "frame"}, name  # of functions of async.h


def test_all_names_come_with_one_cimport() -> None:
    lines = (ROOT / "python" / "cawait" / "__init__.pxd").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        f"from {name} cimport *" for name in MODULES if name != "cawait.testing"
    ]


def checks(entries: dict[str, Any]) -> Iterator[str]:
    """C code that compiles where what Cython has read is what the headers say: pointers to the functions and fields,
    of the declared types, with the values that the headers give them."""
    yield "#include <cawait.h>\n#include <cawait_testing.h>"
    for name, entry in sorted(entries.items()):
        if not entry.in_cinclude or name == "caw_py_parse":
            continue
        if entry.type.is_cfunction:
            yield f"extern {CPtrType(entry.type).declaration_code(f'check_{name}')};"
            yield f"{CPtrType(entry.type).declaration_code(f'check_{name}')} = {entry.cname};"
        elif not entry.is_type:
            yield f"static inline {entry.type.declaration_code(f'check_{name}')}(void) {{ return {entry.cname}; }}"
        elif entry.type.is_struct_or_union:
            yield f"static inline size_t check_{name}({entry.type.declaration_code('*s')}) {{ (void)s;"
            for field, member in entry.type.scope.entries.items() if entry.type.scope else ():
                yield f"    {CPtrType(member.type).declaration_code(field)} = &s->{member.cname}; (void){field};"
            yield "    return 0; }"
        else:
            yield f"typedef {entry.type.declaration_code(f'check_{name}')};"


def test_declarations_have_the_types_of_the_headers(entries: dict[str, Any], tmp_path: Path) -> None:
    source = tmp_path / "checks.c"
    source.write_text("\n".join(checks(entries)) + "\n")
    include = ["-I", ROOT / "include", "-I", sysconfig.get_path("include")]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    run([os.environ.get("CC", "cc"), *flags, *include, source])


@pytest.mark.parametrize("module", ["thermometer", "zlib_threads", "everything"])
@pytest.mark.parametrize("language", ["c", "c++"])
def test_modules_compile_as_c_and_as_cxx(module: str, language: str, tmp_path: Path) -> None:
    pyx = next(
        path for folder in ("examples", "tests/package/cython") for path in (ROOT / folder).rglob(f"{module}.pyx")
    )
    source = tmp_path / f"{module}.{'c' if language == 'c' else 'cpp'}"
    options = ["-3", "-Wextra", "--warning-errors", "-I", ROOT / "python", *(["--cplus"] if language == "c++" else [])]
    run([sys.executable, "-m", "cython", *options, pyx, "-o", source])
    compiler = os.environ.get("CC", "cc") if language == "c" else os.environ.get("CXX", "c++")
    include = ["-I", ROOT / "include", "-I", pyx.parent, "-I", sysconfig.get_path("include")]
    flags = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-fsyntax-only"]
    run([*compiler.split(), *flags, *include, source])
