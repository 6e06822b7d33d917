"""`python -m cawait stubs`: what stubs say, what type checkers make of them, and what else shows the types of a module.

The modules are examples, and stubs/shapes.h, which has all that a stub knows to say, and mistakes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = Path(__file__).with_name("stubs")
EXAMPLES = ("blocking_call", "event_source", "file_lines", "sqlite")
MODULES = (*EXAMPLES, "shapes")
EXPECTED = (OURS / "shapes.txt").read_text()  # no .pyi, which tools would lay out anew
LIBRARIES = {"sqlite": ["-lsqlite3"]}


STUBS = ["-m", "cawait", "stubs"]


def run(folder: Path, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run this Python in a folder, whose modules it finds."""
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", "NO_COLOR": "1", **env}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=600
    )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the modules."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, ROOT / "tools" / "amalgamate", folder / "joined"], check=True, capture_output=True)
    flags = ["-std=c11", "-fPIC", "-fvisibility=hidden", "-pthread", f"-I{folder / 'joined'}"]
    flags += [f"-I{sysconfig.get_path('include')}"]
    library = folder / "cawait.o"
    subprocess.run(["cc", *flags, "-c", folder / "joined" / "cawait.c", "-o", library], check=True)
    for name in MODULES:
        sources = sorted((ROOT / "examples" / name).glob("*.c")) or ["-x", "c", OURS / f"{name}.h", "-x", "none"]
        made = ["-shared", *sources, library, "-o", folder / f"{name}.so", *LIBRARIES.get(name, [])]
        subprocess.run(["cc", *flags, *made], check=True)
    return folder


@pytest.fixture(scope="session")
def stubbed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the modules and their stubs."""
    folder = tmp_path_factory.mktemp("stubbed")
    for name in MODULES:
        shutil.copy(built / f"{name}.so", folder)
        done = run(folder, *STUBS, name, "-o", f"{name}.pyi")
        assert (done.returncode, done.stdout) == (0, "")
        assert name == "shapes" or done.stderr == ""
    return folder


# --- what a stub says ---


def test_stub_says_all_that_the_module_has(stubbed: Path) -> None:
    assert (stubbed / "shapes.pyi").read_text() == EXPECTED


def test_stub_goes_to_stdout_and_mistakes_to_stderr(built: Path) -> None:
    done = run(built, *STUBS, "shapes")
    assert (done.returncode, done.stdout) == (0, EXPECTED)
    assert done.stderr.splitlines() == [
        "cawait stubs: unknown, argument a: the type 'Nowhere' is not known; it is Any in the stub",
        "cawait stubs: unknown, argument b: '3' is no type; it is Any in the stub",
        "cawait stubs: unknown: the type 'Nothing' is not known; it is Any in the stub",
        "cawait stubs: broken: '(a: int) -> list[' is not in the language of Python; it is Any in the stub",
        "cawait stubs: edges: 'int' is not what it returns: write AsyncGenerator[int, None]; it is Any in the stub",
    ]


def test_stub_without_docs_has_only_signatures(built: Path) -> None:
    assert run(built, *STUBS, "blocking_call", "--no-docstrings").stdout.splitlines()[3:] == [
        "async def user(name: str, /) -> tuple[int, str, str]: ...",
        "def user_now(name: str, /) -> tuple[int, str, str]: ...",
    ]


def test_names_that_a_stub_cannot_have_are_left_out(tmp_path: Path) -> None:
    assert stub_of(tmp_path, "vars(m).update({'class': 1, 'a b': 2, 'c': 3})") == ["c: int"]


def test_names_of_other_modules_are_imported(tmp_path: Path) -> None:
    names = "import enum, functools, os; m.Flag, m.path, m.call = enum.Flag, os, functools.partial(print)"
    lines = ["from typing import Any", "", "from enum import Flag as Flag", "import os as path", "call: Any"]
    assert stub_of(tmp_path, names) == lines


def test_base_that_is_generic_has_any_items(tmp_path: Path) -> None:
    lines = stub_of(tmp_path, "m.Pair = type('Pair', (tuple,), {'__slots__': (), '__module__': 'm'})")
    assert "class Pair(tuple[Any, ...]): ..." in lines


def stub_of(folder: Path, program: str) -> list[str]:
    """The lines of the stub of a module `m` that a program has filled, below the first three."""
    before, after = "import types, cawait.stubs; m = types.ModuleType('m')", "print(cawait.stubs.Stub(m).text())"
    done = run(folder, "-c", f"{before}\n{program}\n{after}")
    assert done.stderr == ""
    return done.stdout.rstrip().splitlines()[3:]


def test_module_of_a_package_is_named_with_its_package(built: Path, tmp_path: Path) -> None:
    package = packaged(built, tmp_path)
    text = (package / "sqlite.pyi").read_text()
    assert text.startswith("# Made by `python -m cawait stubs pack.sqlite`") and "class Connection:" in text


def packaged(built: Path, folder: Path) -> Path:
    """A package around a module, with types."""
    package = folder / "pack"
    package.mkdir()
    shutil.copy(built / "sqlite.so", package)
    (package / "py.typed").touch()
    (package / "__init__.py").write_text(
        '"""A package."""\n\nfrom pack.sqlite import Connection, Error\n\n__all__ = ["Connection", "Error"]\n'
    )
    assert run(folder, *STUBS, "pack.sqlite", "-o", "pack/sqlite.pyi").returncode == 0
    return package


# --- what type checkers make of it ---


def wrong_lines() -> dict[int, str]:
    """The lines of wrong.py that are wrong, and what mypy calls it."""
    lines = enumerate((OURS / "wrong.py").read_text().splitlines(), 1)
    return {n: found[1] for n, line in lines if (found := re.search(r"  # ([a-z-]+)$", line))}


@pytest.fixture
def uses(stubbed: Path, tmp_path: Path) -> Path:
    """A folder with the modules, their stubs, and the two programs."""
    for file in (*stubbed.glob("*.pyi"), *stubbed.glob("*.so"), OURS / "right.py", OURS / "wrong.py"):
        shutil.copy(file, tmp_path)
    return tmp_path


def test_mypy_takes_right_uses_and_refuses_each_wrong_one(uses: Path) -> None:
    strict = ("-m", "mypy", "--strict", "--no-error-summary", "--no-color-output", "--cache-dir", ".cache")
    stubs = [f"{name}.pyi" for name in MODULES]
    right = run(uses, *strict, *stubs, "right.py")
    assert (right.returncode, right.stdout) == (0, "")
    wrong = run(uses, *strict, "--python-version", "3.10", "wrong.py")
    found = re.findall(r"^wrong\.py:(\d+): error: .*\[([a-z-]+)\]$", wrong.stdout, re.M)
    assert {int(line): code for line, code in found} == wrong_lines(), wrong.stdout


def test_stubs_are_those_of_the_modules_for_stubtest(stubbed: Path) -> None:
    done = run(stubbed, "-m", "mypy.stubtest", *MODULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stubtest_sees_another_signature(stubbed: Path, tmp_path: Path) -> None:
    shutil.copy(stubbed / "blocking_call.so", tmp_path)
    text = (stubbed / "blocking_call.pyi").read_text()
    (tmp_path / "blocking_call.pyi").write_text(text.replace("async def user(name: str, /)", "def user(whom: str)"))
    done = run(tmp_path, "-m", "mypy.stubtest", "blocking_call")
    assert done.returncode == 1 and "is an" in done.stdout and "blocking_call.user " in done.stdout, done.stdout


def test_pyright_takes_right_uses_and_refuses_each_wrong_one(uses: Path) -> None:
    (uses / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')  # pyright's own default
    done = run(uses, "-m", "basedpyright", "--outputjson", *(f"{name}.pyi" for name in MODULES), "right.py", "wrong.py")
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = {(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in found}
    assert errors == {("wrong.py", line) for line in wrong_lines()}, done.stdout


def test_package_with_a_stub_is_wholly_typed_for_pyright(built: Path, tmp_path: Path) -> None:
    packaged(built, tmp_path)
    done = run(tmp_path, "-m", "basedpyright", "--verifytypes", "pack", "--outputjson")
    completeness = json.loads(done.stdout)["typeCompleteness"]
    assert completeness["completenessScore"] == 1, done.stdout
    counts = completeness["exportedSymbolCounts"]
    assert counts["withKnownType"] > 10 and counts["withUnknownType"] == counts["withAmbiguousType"] == 0


# --- what else shows the types ---

CONF = 'extensions = ["sphinx.ext.autodoc"]\n'
INDEX = "Modules\n=======\n" + "".join(f"\n.. automodule:: {name}\n   :members:\n" for name in EXAMPLES)
USER = "async blocking_call.user(name: str, /) -> tuple[int, str, str]\n\n   (uid, home, shell) of a user"


def sphinx(folder: Path, **env: str) -> str:
    """The text that autodoc makes of the examples."""
    (folder / "conf.py").write_text(CONF)
    (folder / "index.rst").write_text(INDEX)
    done = run(folder, "-m", "sphinx", "-q", "-W", "-b", "text", ".", "text", **env)
    assert done.returncode == 0, done.stderr
    return (folder / "text" / "index.txt").read_text()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="for 3.10 there is no Sphinx that reads stubs: 8.2 and later do")
def test_sphinx_shows_functions_and_methods_by_the_stub(stubbed: Path, tmp_path: Path) -> None:
    for name in EXAMPLES:
        shutil.copy(stubbed / f"{name}.so", tmp_path)
        shutil.copy(stubbed / f"{name}.pyi", tmp_path)
    text = sphinx(tmp_path)
    assert USER in text
    assert "file_lines.lines(path: str | PathLike[str], /) -> AsyncGenerator[str, None]\n\n   The lines" in text
    assert "class sqlite.Connection(path: str | PathLike[str])\n\n   A connection" in text
    signature = "sql: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]"
    assert f"   async execute({signature}\n\n      Run one statement" in text
    assert "   transaction() -> Transaction\n\n      A transaction" in text


def test_sphinx_shows_functions_without_a_stub(built: Path, tmp_path: Path) -> None:
    """Of methods there are only the docs: autodoc takes those that are not of CPython's own types for attributes."""
    for name in EXAMPLES:
        shutil.copy(built / f"{name}.so", tmp_path)
    text = sphinx(tmp_path)
    assert USER in text
    assert "async file_lines.lines(path: str | PathLike[str], /) -> AsyncGenerator[str, None]\n\n   The lines" in text
    assert "   execute\n\n      Run one statement" in text


def test_help_shows_signatures_with_types(built: Path) -> None:
    def text(name: str) -> str:
        return run(built, "-c", f"import pydoc, {name}; print(pydoc.plain(pydoc.render_doc({name})))").stdout

    assert "    async user(name: str, /) -> tuple[int, str, str]\n        (uid, home, shell)" in text("blocking_call")
    lines = "lines(path: str | os.PathLike[str], /) -> collections.abc.AsyncGenerator[str, None]\n"
    assert f"    async {lines}" in text("file_lines")
    shown = bare(text("sqlite"))
    signature = "self, /, sql: str, parameters: collections.abc.Sequence[object] | None = None"
    assert bare(f"async execute({signature}) -> list[tuple[typing.Any, ...]] Run one statement") in shown
    assert bare("class Connection(builtins.object) Connection(path)") in shown
    assert bare("transaction(self, /) transaction() -> Transaction A transaction") in shown


def bare(text: str) -> str:
    """Without what help() lays a text out with, which differs from version to version."""
    return re.sub(r"[\s|]", "", text)


def test_stubgen_knows_no_functions_but_those_of_cpython(built: Path, tmp_path: Path) -> None:
    """It takes the others for constants, of methods it knows the names: hence a command of our own."""
    program = "from mypy.stubgen import main; main()"
    done = run(built, "-c", program, "-q", "-m", "blocking_call", "-m", "sqlite", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\nuser: cawait.async_function\n" in (tmp_path / "blocking_call.pyi").read_text()
    text = (tmp_path / "sqlite.pyi").read_text()
    assert "    def execute(self, *args, **kwargs): ..." in text
    assert "path: str | os.PathLike[str]" in text and "def transaction(self) -> Transaction: ..." in text


# --- bad input ---


def refused(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """The exit code and the sentence."""
    assert done.stderr.count("\n") == 1 and done.stdout == "", done
    return done.returncode, done.stderr.removeprefix("cawait stubs: ").rstrip()


@pytest.mark.parametrize(
    "source, code, sentence",
    [
        (None, 2, "there is no module broken: is it built, and in a folder of sys.path?"),
        ("", 2, "broken has no tables of cawait: it is not built with cawait, or it is a package around what is"),
        ("raise ValueError('one\\ntwo')", 1, "the import of broken fails: ValueError: one two"),
        ("import not_there", 1, "the import of broken fails: No module named 'not_there'"),
        ("raise SystemExit", 1, "the import of broken fails: SystemExit"),
        ("a b", 1, "the import of broken fails: SyntaxError: invalid syntax (broken.py, line 1)"),
    ],
)
def test_module_that_has_no_stub_is_refused(tmp_path: Path, source: str | None, code: int, sentence: str) -> None:
    if source is not None:
        (tmp_path / "broken.py").write_text(source)
    assert refused(run(tmp_path, *STUBS, "broken", "-o", "broken.pyi")) == (code, sentence)
    assert not (tmp_path / "broken.pyi").exists()


def test_file_that_is_no_extension_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.so").write_text("text")
    code, sentence = refused(run(tmp_path, *STUBS, "broken"))
    assert code == 1 and sentence.startswith("the import of broken fails: ImportError: ")


@pytest.mark.parametrize("name", ["", ".", ".a", "a..b", "no-name", "sys.path", "blocking_call.user"])
def test_name_that_is_no_module_is_refused(built: Path, name: str) -> None:
    code, sentence = refused(run(built, *STUBS, name))
    assert code in (1, 2) and name in sentence


def test_package_around_a_module_names_the_module(built: Path, tmp_path: Path) -> None:
    packaged(built, tmp_path)
    assert refused(run(tmp_path, *STUBS, "pack")) == (2, "pack has no tables of cawait: pack.sqlite has")


def test_module_that_prints_leaves_the_stub_alone(built: Path, tmp_path: Path) -> None:
    shutil.copy(built / "blocking_call.so", tmp_path)
    (tmp_path / "loud.py").write_text(
        "print('loud')\nfrom blocking_call import *\nfrom blocking_call import __cawait__\n"
    )
    done = run(tmp_path, *STUBS, "loud")
    assert done.stdout.startswith("# Made by") and "loud\n" in done.stderr


def test_file_that_exists_is_replaced_only_by_force(built: Path, tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "file.pyi"
    file.parent.mkdir()
    file.write_text("mine")
    assert refused(run(built, *STUBS, "sqlite", "-o", file)) == (2, f"{file} is there already: --force replaces it")
    assert file.read_text() == "mine"
    assert run(built, *STUBS, "sqlite", "--output", file, "--force").returncode == 0
    assert "class Connection" in file.read_text()


def test_file_that_cannot_be_written_is_named(built: Path, tmp_path: Path) -> None:
    there = tmp_path / "none" / "file.pyi"
    for force in ([], ["--force"]):
        assert refused(run(built, *STUBS, "sqlite", "-o", there, *force)) == (
            1,
            f"cannot write {there}: No such file or directory",
        )
        assert refused(run(built, *STUBS, "sqlite", "-o", tmp_path, *force)) == (2, f"{tmp_path} is a folder")


def test_stdout_that_is_full_is_said(built: Path) -> None:
    program = (
        "import subprocess, sys\n"
        "with open('/dev/full', 'w') as full:\n"
        "    sys.exit(subprocess.call([sys.executable, *sys.argv[1:]], stdout=full))"
    )
    assert refused(run(built, "-c", program, *STUBS, "sqlite")) == (
        1,
        "cannot write to stdout: No space left on device",
    )


def test_stdout_that_is_closed_is_said(built: Path) -> None:
    program = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    assert refused(run(built, "-c", program, *STUBS, "sqlite")) == (1, "cannot write to stdout: it is closed")


def test_arguments_that_are_not_known_are_refused(tmp_path: Path) -> None:
    for arguments in ([], ["sqlite", "--unknown"]):
        done = run(tmp_path, *STUBS, *arguments)
        assert done.returncode == 2 and done.stderr.startswith("usage: python -m cawait stubs ")
