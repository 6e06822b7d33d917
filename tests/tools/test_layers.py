"""Each rule of tools/layers.py passes for a small tree that keeps it, and fails when the tree breaks it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import layers  # noqa: E402
from shape import c_text  # noqa: E402
from shape.tree import Layout, Tree  # noqa: E402

LAYOUT = Layout(
    public=("cawait/base", "cawait/future", "cawait/python"),
    with_python=frozenset({"cawait/python"}),
    rooms={
        "core/os": "compiler thread",
        "core/base": "future",
        "core/stream": "stream",
        "core/bytes": "bytes",
        "python/base": "compat",
        "python/loop": "job hub",
    },
    apart=(frozenset({"core/stream", "core/bytes"}),),
    unit_tested=frozenset({"core/base/future.h"}),
    allowed={
        "system headers": ("src/core/os/",),
        "compiler": ("include/cawait/base.h", "src/core/os/compiler.h"),
        "platform": ("src/core/os/",),
        "CPython": ("src/python/base/compat.h",),
    },
)
MARK = "/* What it does.\n *   any-thread · no-gil · - · never fails · quiet */\n"


def header(name: str, body: str) -> str:
    """A header with its opening and its guard."""
    guard = "CAWAIT_" + name.upper().replace("/", "_").replace(".", "_")
    return f"/* {name}: a header of the tests. */\n#ifndef {guard}\n#define {guard}\n{body}\n#endif\n"


def source(name: str, body: str) -> str:
    """A .c file with its opening."""
    return f"/* {name}: a source of the tests. */\n{body}\n"


def pair(path: str, includes: str, declares: str, defines: str = "") -> dict[str, str]:
    """A header of src with these declarations, and its .c file."""
    stem = path.rpartition("/")[2]
    include = "".join(f'#include "{name}"\n' for name in [f"{path}.h", *includes.split()])
    return {
        f"src/{path}.h": header(f"{path}.h", declares),
        f"src/{path}.c": source(f"{stem}.c", include + defines),
    }


def calling(path: str, includes: str, name: str, callee: str) -> dict[str, str]:
    """A header and its .c file with one function, which calls another one."""
    return pair(path, includes, f"int {name}(void);", f"int {name}(void) {{ return {callee}(); }}")


FUTURE_H = """\
typedef int (*caw__fn)(void);
struct caw__x;
struct caw__y {
    int a;
};
extern const caw__fn caw__table[1];"""
FUTURE_C = "const caw__fn caw__table[1] = {caw__thread};\nint caw_ready(void) { return caw__one(); }"
THREAD_H = "int caw__thread(void);\nstatic inline int\ncaw__one(void)\n{\n    return 1;\n}"
THREAD_C = "#include <pthread.h>\n#ifdef __linux__\n#endif\nint caw__thread(void) { return 0; }"
READY = f'#include "cawait/base.h"\n{MARK}CAW_API int caw_ready(void);'
KEPT = {
    ".clang-format": "ColumnLimit: 80\n",
    "include/cawait/base.h": header("cawait/base.h", '#define CAW_API __attribute__((visibility("hidden")))'),
    "include/cawait/future.h": header("cawait/future.h", READY),
    "include/cawait/python.h": header("cawait/python.h", '#include "cawait/future.h"'),
    "src/core/os/compiler.h": header("compiler.h", "#define CAW__LOCAL _Thread_local"),
    **pair("core/os/thread", "", THREAD_H, THREAD_C),
    **pair("core/base/future", "cawait/future.h core/os/thread.h", FUTURE_H, FUTURE_C),
    **calling("core/stream/stream", "cawait/future.h core/base/future.h", "caw__s", "caw_ready"),
    **calling("core/bytes/bytes", "cawait/future.h", "caw__b", "caw_ready"),
    "src/python/base/compat.h": header("compat.h", "#if PY_VERSION_HEX >= 0x030C0000\n#endif"),
    **calling("python/loop/job", "core/stream/stream.h", "caw__job", "caw__s"),
    **calling("python/loop/hub", "cawait/python.h python/loop/job.h", "caw__hub", "caw__job"),
    "src/core/meson.build": "'os/thread.c' 'base/future.c' 'stream/stream.c' 'bytes/bytes.c'\n",
    "src/python/meson.build": "'loop/job.c' 'loop/hub.c'\n",
    "tests/c/meson.build": "'test_future'\n",
    "tests/c/test_future.c": source("test_future.c", '#include "core/base/future.h"\n#include "cawait/future.h"'),
    "tools/tool.py": '"""A tool."""\n',
    "README.md": "# Title\n\nProse.\n",
}
Make = Callable[..., Tree]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A tree that keeps every rule, with changes: files by their paths, and another layout."""

    def made(changes: dict[str, str] | None = None, layout: Layout = LAYOUT) -> Tree:
        for name, text in {**KEPT, **(changes or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Tree(tmp_path, layout)

    return made


def plus(name: str, lines: str) -> dict[str, str]:
    """A file of the tree with more lines at its end, in a header within its guard."""
    text = KEPT[name]
    end = text.rindex("#endif") if name.endswith(".h") else len(text)
    return {name: f"{text[:end]}{lines}\n{text[end:]}"}


def found(tree: Tree, rule: str) -> str:
    """The problems that a rule finds in a tree, as one text."""
    return "\n".join(layers.problems(tree, [rule]))


def test_a_tree_that_keeps_the_rules_has_no_problem(make: Make) -> None:
    assert layers.problems(make()) == []


# places, includes, guards, meson.build


def test_a_file_without_a_place_is_a_problem(make: Make) -> None:
    tree = make({"src/core/base/extra.h": header("extra.h", "")})
    assert "src/core/base/extra.h:1: has no place" in found(tree, "places")


def test_a_place_without_a_file_is_a_problem(make: Make) -> None:
    layout = replace(LAYOUT, rooms={**LAYOUT.rooms, "python/run": "run"})
    assert "src/python/run/run has a place, and is not there" in found(make(layout=layout), "places")


@pytest.mark.parametrize(
    ("user", "include", "says"),
    [
        ("src/core/base/future.c", "core/stream/stream.h", "which stands above it"),
        ("src/core/base/future.c", "python/loop/job.h", "which stands above it"),
        ("src/python/loop/job.c", "python/loop/hub.h", "which stands above it"),
        ("src/core/bytes/bytes.c", "core/stream/stream.h", "and these rooms do not use each other"),
        ("src/core/bytes/bytes.c", "cawait/python.h", "but the core knows no Python"),
        ("include/cawait/future.h", "cawait/python.h", "but the core knows no Python"),
        ("include/cawait/base.h", "cawait/future.h", "which stands above it"),
        ("include/cawait/future.h", "core/os/thread.h", "which is private to core/os"),
        ("tests/c/test_future.c", "core/os/thread.h", "which is private to core/os"),
        ("src/python/loop/hub.c", "core/os/gone.h", "which is not there"),
    ],
)
def test_an_include_that_runs_up_is_a_problem(make: Make, user: str, include: str, says: str) -> None:
    assert f"includes {include}, {says}" in found(make(plus(user, f'#include "{include}"')), "includes")


def test_the_core_includes_no_python(make: Make) -> None:
    text = found(make(plus("src/core/base/future.c", "#include <Python.h>")), "includes")
    assert "includes Python.h, but the core knows no Python" in text


def test_includes_in_a_circle_are_a_problem(make: Make) -> None:
    up = plus("src/python/loop/job.h", '#include "python/loop/hub.h"')
    tree = make({**up, **plus("src/python/loop/hub.h", '#include "python/loop/job.h"')})
    assert "run in a circle: src/python/loop/hub.h, src/python/loop/job.h" in found(tree, "includes")


def test_a_file_includes_its_own_header(make: Make) -> None:
    tree = make({"src/python/loop/job.c": source("job.c", "")})
    assert "src/python/loop/job.c:1: does not include its own header" in found(tree, "includes")


def test_two_headers_with_one_guard_are_a_problem(make: Make) -> None:
    text = KEPT["src/python/loop/job.h"].replace("LOOP_JOB", "LOOP_HUB")
    assert "as src/python/loop/hub.h has" in found(make({"src/python/loop/job.h": text}), "guards")


def test_a_header_without_a_guard_is_a_problem(make: Make) -> None:
    assert "has no guard" in found(make({"src/python/loop/hub.h": "/* hub.h: the hub, unguarded. */\n"}), "guards")


def test_a_source_that_is_not_built_is_a_problem(make: Make) -> None:
    tree = make({"src/python/meson.build": "'loop/job.c' 'run/hub.c'\n", "tests/c/meson.build": "'test_futures'\n"})
    text = found(tree, "built")
    assert "src/python/loop/hub.c:1: not named in src/python/meson.build" in text
    assert "tests/c/test_future.c:1: not named in tests/c/meson.build" in text


# the header rule


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("int caw__job(void);", "declares caw__job, which src/python/loop/job.c defines"),
        ("extern const caw__fn caw__table[1];", "declares caw__table, which src/core/base/future.c defines"),
        ("int caw__job(void), caw__b(void);", "declares caw__b, which src/core/bytes/bytes.c defines"),
        ("int caw__gone(void);", "declares caw__gone, which no file defines"),
    ],
)
def test_a_header_declares_only_what_its_own_source_defines(make: Make, line: str, says: str) -> None:
    assert f"src/python/loop/hub.h:5: {says}" in found(make(plus("src/python/loop/hub.h", line)), "headers")


@pytest.mark.parametrize("line", ["int caw__job(void);", "extern int caw__compat;"])
def test_a_header_without_a_source_declares_no_function_and_no_object(make: Make, line: str) -> None:
    text = found(make(plus("src/python/base/compat.h", line)), "headers")
    assert "src/python/base/compat.h:6: declares caw__" in text


def test_a_header_defines_no_function(make: Make) -> None:
    text = found(make(plus("src/python/base/compat.h", "int caw__compat(void)\n{\n    return 1;\n}")), "headers")
    assert "defines caw__compat: static inline?" in text


def test_a_source_declares_nothing_of_others(make: Make) -> None:
    text = found(make(plus("src/core/os/thread.c", "int caw__job(void);")), "headers")
    assert "declares caw__job by itself, which src/python/loop/job.c defines" in text


def test_what_no_header_declares_is_static(make: Make) -> None:
    text = found(make(plus("src/core/os/thread.c", "int caw__left;")), "headers")
    assert "defines caw__left, which no header declares" in text


# public functions


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("CAW_API int caw_gone(void);", "caw_gone is defined by no file"),
        ("int caw__s(void);", "caw__s is not marked CAW_API"),
        ("CAW_API int caw__hub(void);", "caw__hub is defined by src/python/loop/hub.c, not by one file of src/core/"),
    ],
)
def test_a_public_function_is_defined_once_on_its_side(make: Make, line: str, says: str) -> None:
    assert says in found(make(plus("include/cawait/future.h", line)), "public")


@pytest.mark.parametrize("name", ["include/cawait/python.h", "src/core/base/future.h"])
def test_a_public_function_is_declared_once(make: Make, name: str) -> None:
    text = found(make(plus(name, "CAW_API int caw_ready(void);")), "public")
    assert "declares caw_ready, as include/cawait/future.h does" in text


def test_a_public_function_has_a_mark(make: Make) -> None:
    text = KEPT["include/cawait/future.h"].replace("no-gil · ", "")
    assert "include/cawait/future.h:7: no mark" in found(make({"include/cawait/future.h": text}), "marks")


# calls


@pytest.mark.parametrize(
    "use",
    ["int caw__up(void) { return caw__hub(); }", "int (*caw__hooks[1])(void) = {caw__hub};"],
    ids=["a call", "an address in a table"],
)
def test_a_use_that_runs_up_is_a_problem(make: Make, use: str) -> None:
    text = found(make(plus("src/core/base/future.c", f"int caw__hub(void);\n{use}")), "calls")
    assert "uses caw__hub of src/python/loop/hub.c, which stands above it" in text


def test_a_call_of_a_public_function_that_runs_up_is_a_problem(make: Make) -> None:
    use = '#include "cawait/future.h"\nint up(void) { return caw_ready(); }'
    text = found(make(plus("src/core/os/thread.c", use)), "calls")
    assert "src/core/os/thread.c:8: uses caw_ready of src/core/base/future.c, which stands above it" in text


def test_a_call_between_rooms_that_stand_apart_is_a_problem(make: Make) -> None:
    use = "int caw__s(void);\nint across(void) { return caw__s(); }"
    assert "and these rooms do not use each other" in found(make(plus("src/core/bytes/bytes.c", use)), "calls")


def test_an_inline_function_that_runs_up_is_a_problem_of_its_header(make: Make) -> None:
    inline = "static inline int\ncaw__up(void)\n{\n    return caw_ready();\n}"
    assert "src/core/os/thread.h:13: uses caw_ready of" in found(make(plus("src/core/os/thread.h", inline)), "calls")


def test_calls_in_a_circle_are_a_problem(make: Make) -> None:
    use = "int caw__hub(void);\nint caw__up(void) { return caw__hub(); }"
    text = found(make(plus("src/python/loop/job.c", use)), "calls")
    assert "2 files call each other in a circle: src/python/loop/hub, src/python/loop/job" in text


def test_a_source_that_does_not_compile_is_a_problem(make: Make) -> None:
    text = found(make(plus("src/python/loop/job.c", "int x = y;")), "calls")
    assert "src/python/loop/job.c:1: does not compile: error: " in text


def test_an_object_is_made_again_when_a_header_has_changed(make: Make) -> None:
    assert found(make(), "calls") == ""
    changed = KEPT["src/core/os/thread.h"].replace("return 1;", "extern int caw__hub(void);\n    return caw__hub();")
    text = found(make({"src/core/os/thread.h": changed}), "calls")
    assert "src/core/base/future.c:1: uses caw__hub (in an inline function" in text


# what is not plain C


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("#include <unistd.h>", "unistd.h"),
        ("#  include <sys/epoll.h>", "sys/epoll.h"),
        ("static _Thread_local int x;", "_Thread_local"),
        ("#ifdef __GNUC__", "__GNUC__"),
        ("void f(void) __attribute__((cold));", "__attribute__"),
        ("static void *labels[] = {&&one};", "&&o"),
        ("goto *labels[0];", "goto *"),
        ("#  if defined(__APPLE__)", "__APPLE__"),
        ("#if PY_VERSION_HEX >= 0x030C0000", "PY_VERSION_HEX"),
        ("#ifdef Py_GIL_DISABLED", "Py_GIL_DISABLED"),
    ],
)
def test_what_is_not_plain_c_has_its_files(make: Make, line: str, says: str) -> None:
    assert f"{says}: not here" in found(make(plus("src/core/base/future.c", line)), "system")


@pytest.mark.parametrize(
    "line",
    [
        "/* __GNUC__ */",
        'const char *x = "_Thread_local";',
        "int y = a && b;",
        "if (a && b\n    && c) {",
        "#include <errno.h>",
    ],
)
def test_plain_c_may_stand_anywhere(make: Make, line: str) -> None:
    assert found(make(plus("src/core/base/future.c", line)), "system") == ""


def test_a_file_that_is_allowed_what_it_does_not_have_is_a_problem(make: Make) -> None:
    tree = make({"src/core/os/compiler.h": header("compiler.h", "")})
    assert '"compiler" names src/core/os/compiler.h, which has nothing of it' in found(tree, "system")


# prose and lengths


@pytest.mark.parametrize(
    ("name", "start"),
    [("src/core/base/future.c", "// "), ("include/cawait/base.h", "// "), ("tools/tool.py", "# "), ("README.md", "")],
)
def test_a_line_beyond_the_columns_is_a_problem(make: Make, name: str, start: str) -> None:
    assert found(make(plus(name, start.ljust(80, "·"))), "columns") == ""
    text = found(make(plus(name, start.ljust(81, "·"))), "columns")
    assert f"{name}:" in text
    assert "81 columns, of 80" in text


@pytest.mark.parametrize(
    "text",
    ["| {}", "```\n{}\n```", "- [{}](https://a.example)", "[![b]({})]({})", "[a]: https://{}", "<!-- {} [a] -->"],
)
def test_lines_of_markdown_that_cannot_be_broken_may_be_long(make: Make, text: str) -> None:
    assert found(make({"README.md": f"# Title\n\n{text.replace('{}', 'x' * 90)}\n"}), "columns") == ""


@pytest.mark.parametrize(
    ("opening", "says"),
    [
        ("#include <stdlib.h>", "opens with a comment that says what it is"),
        ("/* other.c: a file of the tests. */", "opens with a comment that says what it is"),
        ("/* python/base/future.c: a file of the tests. */", "opens with a comment that says what it is"),
        ("/* future.c: see future.h. */", "the first sentence says what this file is"),
        ("/* future.c: futures. */", "the first sentence says what this file is"),
    ],
)
def test_a_file_says_what_it_is(make: Make, opening: str, says: str) -> None:
    assert f"src/core/base/future.c:1: {says}" in found(make({"src/core/base/future.c": opening + "\n"}), "openings")


def test_a_comment_says_more_than_where_to_look(make: Make) -> None:
    tree = make(plus("src/core/base/future.c", "int x; /* see future.h */"))
    assert "a comment that only says where to look" in found(tree, "openings")
    tree = make(plus("src/core/base/future.c", "int x; /* the state; see future.h */"))
    assert found(tree, "openings") == ""


def test_a_path_of_a_machine_is_a_problem(make: Make) -> None:
    tree = make({"README.md": "Look into /" + "home/somebody/notes.\n"})
    assert "README.md:1: a path of one particular machine" in found(tree, "paths")


def test_what_is_too_long_is_a_problem(make: Make) -> None:
    changes = {
        "src/core/base/future.c": source("future.c", "int f(void)\n{\n" + "\n" * 80 + "}"),
        "tools/tool.py": "def f():\n" + "    pass\n" * 80,
        "README.md": "\n" * 900,
        "src/core/bytes/bytes.c": source("bytes.c", "\n" * 500),
    }
    text = found(make(changes), "lengths")
    assert "src/core/base/future.c:3: a function of 82 lines" in text
    assert "tools/tool.py:1: a function of 81 lines" in text
    assert "src/core/bytes/bytes.c:1: 502 lines" in text
    assert "README" not in text


# how C is read


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("int f(int a, int (*g)(void));", ["f"]),
        ("CAW_API const char *f(void);", ["f"]),
        ("extern PyType_Spec a, *b;\nextern int c[2];", ["a", "b", "c"]),
        ("extern int (*hook)(int);", ["hook"]),
        ("struct s *f(struct s *x);", ["f"]),
        ("CAW__INTERNAL_BEGIN\n\nint f(void);\n\nCAW__INTERNAL_END\nint g(void);", ["f", "g"]),
        ("const struct ops table = {.f = f, .g = (int){1}};\nint g(void);", ["table", "g"]),
        ("void f(void)\n{\n    int x;\n}\nint g(void);", ["f", "g"]),
        ("struct s;\nunion u { int a; };\nenum { A, B };\nenum e { C };\ntypedef int t;", []),
        ('static inline int f(void) { return 1; }\nstatic int g(void);\nstatic_assert(1, "x");', []),
        ("/* int f(void); */\n// int g(void);\n#define X int h(void);\n#if X(1, \\\n 2)\n#endif", []),
        ("const char *text = \"int f(void);\";\nchar c = ';';", ["text", "c"]),
    ],
)
def test_declarations(text: str, names: list[str]) -> None:
    assert [one.name for one in c_text.declarations(text)] == names


# the report


def test_the_report_groups_by_rule_and_by_file(make: Make) -> None:
    tree = make(plus("src/python/loop/hub.h", "int caw__job(void);\nint caw__s(void);"))
    lines = list(layers.report(tree, ["headers", "calls"]))
    assert lines[0].startswith("\n== headers: 2. ")
    assert lines[1:] == [
        "src/python/loop/hub.h  (2)",
        "    5: declares caw__job, which src/python/loop/job.c defines",
        "    6: declares caw__s, which src/core/stream/stream.c defines",
    ]
