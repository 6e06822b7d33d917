"""docs/laws.md has the laws in order, each with its proofs, and each test, rule and step named there exists.

A proof is a line of its own, in one of these forms:

    - `tests/python/cancel/test_close.py::test_name`      a function of that file; of a class: ::TestClass::test_name
    - `tests/c/base/test_promise.c: name`                 a function that is registered in the table of that file
    - `tools/check.py: name`                              a key of the table STEPS there; of RULES in tools/layers.py
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAWS = list(range(1, 14))
TABLES = {"tools/check.py": "STEPS", "tools/layers.py": "RULES"}
HEADING = re.compile(r"## (\d+)\. \S")
PROOF = re.compile(r"- `([^`:]+)(?:::|: )([^`]+)`")


def python_tests(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """The tests of a module, or of a class in it, as pytest names them."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from python_tests(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            yield prefix + node.name


def c_tests(text: str) -> set[str]:
    """The functions of a C test that are defined and registered; TEST_BOTH registers one for each kind of reactor."""
    defined = set(re.findall(r"^(\w+)\([^()]*\)\n\{", text, re.MULTILINE))
    return defined & set(re.findall(r"\bTEST(?:_BOTH)?\((\w+)\)", text))


def keys(tree: ast.Module, table: str) -> Iterator[str]:
    """The keys of a table in a Python file, which is a dict literal."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == table:
            assert isinstance(node.value, ast.Dict)
            yield from (key.value for key in node.value.keys if isinstance(key, ast.Constant))


def names_in(root: Path, path: str) -> set[str]:
    """The names in this file that a proof may use."""
    text = (root / path).read_text(encoding="utf-8")
    if path.endswith(".c"):
        return c_tests(text)
    if path in TABLES:
        return set(keys(ast.parse(text), TABLES[path]))
    return set(python_tests(ast.parse(text).body))


def proof_problem(root: Path, line: str) -> str | None:
    """The problem of a line that names a proof, in a few words, or None."""
    match = PROOF.fullmatch(line)
    if not match:
        return f"names no proof: {line}"
    path, name = match.groups()
    if not (root / path).is_file():
        return f"there is no {path}"
    if name not in names_in(root, path):
        return f"there is no {name} in {path}"
    return None


def problems(root: Path) -> list[str]:
    """All problems of docs/laws.md."""
    proofs: dict[int, int] = {}
    found: list[str] = []
    for line in (root / "docs" / "laws.md").read_text(encoding="utf-8").splitlines():
        if match := HEADING.match(line):
            if int(match[1]) in proofs:
                found.append(f"law {match[1]} is there twice")
            proofs[int(match[1])] = 0
        elif line.startswith("- "):
            if not proofs:
                found.append(f"before the first law: {line}")
                continue
            law = list(proofs)[-1]
            proofs[law] += 1
            if problem := proof_problem(root, line):
                found.append(f"law {law}: {problem}")
    if list(proofs) != LAWS:
        found.append(f"the laws are {list(proofs)}, not 1 to {LAWS[-1]} in order")
    return found + [f"law {law}: nothing proves it" for law, number in proofs.items() if number == 0]


def test_the_laws_are_there_and_what_proves_them_exists() -> None:
    assert problems(ROOT) == []


# --- each part of this can fail ---

FILES = {
    "tests/c/base/test_promise.c": "static void\nboth(caw_reactor_kind kind)\n{\n}\nON_BOTH_KINDS(both)\n\n"
    "static void\nresolves(void)\n{\n}\n\nstatic void\nleft_out(void)\n{\n}\n\n"
    "TESTS(TEST_BOTH(both),\n      TEST(resolves), TEST(undefined))\n",
    "tests/python/cancel/test_close.py": "class TestClose:\n    async def test_method(self): pass\n\n"
    "def test_close():\n    def test_inside(): pass\n\ndef helper(): pass\n",
    "tools/check.py": 'STEPS: dict[str, int] = {"no Python": 1}\nOTHER: dict[str, int] = {"other": 1}\n',
}
GOOD = [
    "- `tests/c/base/test_promise.c: resolves`",
    "- `tests/c/base/test_promise.c: both`",
    "- `tests/python/cancel/test_close.py::test_close`",
    "- `tests/python/cancel/test_close.py::TestClose::test_method`",
    "- `tools/check.py: no Python`",
]
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A tree with a page of laws, which has these numbers, and these lines below each."""

    def made(numbers: list[int], lines: list[str]) -> Path:
        page = "# The laws\n" + "".join(f"\n## {n}. A law\n\nText.\n\n" + "\n".join(lines) + "\n" for n in numbers)
        for name, text in {**FILES, "docs/laws.md": page}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return made


def test_each_form_of_a_proof_is_found(make: Make) -> None:
    assert problems(make(LAWS, GOOD)) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("- `tests/c/base/test_promise.c: gone`", "there is no gone in tests/c/base/test_promise.c"),
        ("- `tests/c/base/test_promise.c: left_out`", "there is no left_out in"),
        ("- `tests/c/base/test_promise.c: undefined`", "there is no undefined in"),
        ("- `tests/c/base/test_gone.c: resolves`", "there is no tests/c/base/test_gone.c"),
        ("- `tests/python/cancel/test_close.py::test_gone`", "there is no test_gone in"),
        ("- `tests/python/cancel/test_close.py::test_method`", "there is no test_method in"),
        ("- `tests/python/cancel/test_close.py::test_inside`", "there is no test_inside in"),
        ("- `tests/python/cancel/test_close.py::helper`", "there is no helper in"),
        ("- `tools/check.py: other`", "there is no other in tools/check.py"),
        ("- the tests of the core", "names no proof: - the tests of the core"),
    ],
)
def test_a_proof_that_is_not_there_is_a_problem(make: Make, line: str, says: str) -> None:
    found = problems(make(LAWS, [*GOOD, line]))
    assert len(found) == len(LAWS)
    assert found[0].startswith(f"law 1: {says}")


def test_a_law_without_a_proof_is_a_problem(make: Make) -> None:
    assert problems(make(LAWS, [])) == [f"law {law}: nothing proves it" for law in LAWS]


@pytest.mark.parametrize("numbers", [[], LAWS[:-1], LAWS[1:], [2, 1, *LAWS[2:]], [*LAWS, len(LAWS) + 1]])
def test_laws_that_are_not_numbered_in_order_are_a_problem(make: Make, numbers: list[int]) -> None:
    assert problems(make(numbers, GOOD)) == [f"the laws are {numbers}, not 1 to {len(LAWS)} in order"]


def test_a_law_that_is_there_twice_is_a_problem(make: Make) -> None:
    assert problems(make([*LAWS, LAWS[-1]], GOOD)) == [f"law {LAWS[-1]} is there twice"]
