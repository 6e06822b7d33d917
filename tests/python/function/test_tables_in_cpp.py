"""Tables that are written in C++17: Python gets what their rows say."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

t = pytest.importorskip("_cawait_test_cpp", reason="built only where there is a C++ compiler")

Run = Callable[..., Any]


async def items(generator: Any) -> list[Any]:
    """All of them."""
    return [item async for item in generator]


class TestFunctions:
    """Rows of CAW_PY_ASYNC."""

    def test_each_convention_is_called(self, run_asyncio: Run) -> None:
        async def main() -> list[int]:
            return [await t.add(40, 2), await t.zero(), await t.one_more(6), await t.length(1, 2, 3)]

        assert run_asyncio(main) == [42, 0, 7, 3]

    def test_names_and_docs_are_those_of_the_row(self) -> None:
        assert (t.add.__name__, t.add.__qualname__, t.add.__doc__) == ("add", "add", "Their sum.")
        assert str(inspect.signature(t.add)) == "(a, b)"
        assert t.length.__doc__ is None

    def test_row_makes_both_faces(self, run_asyncio: Run) -> None:
        async def main() -> int:
            return await t.aadd(3, 4)

        assert t.add_now(3, 4) == run_asyncio(main) == 7
        assert str(inspect.signature(t.add_now)) == "(a, b)"
        assert inspect.iscoroutinefunction(t.aadd) and not inspect.iscoroutinefunction(t.add_now)
        with pytest.raises(ArithmeticError, match="^-1 is negative$"):
            t.add_now(-2, 1)

    def test_fields_after_the_doc_are_set(self, run_asyncio: Run) -> None:
        async def main() -> None:
            with pytest.raises(ArithmeticError, match="^-4 is negative$"):
                await t.one_more(-5)
            with pytest.raises(OSError, match="out of range"):  # `add` has no error function
                await t.add(-5, 1)

        run_asyncio(main)
        assert t.one_more.__qualname__ == "numbers.one_more"

    def test_traceback_names_the_row(self, run_asyncio: Run) -> None:
        async def main() -> None:
            with pytest.raises(OSError, match="out of range") as caught:
                await t.add(-5, 1)
            assert str(caught.traceback[-1].path).endswith("tables.cpp")

        run_asyncio(main)


class TestStreams:
    """Rows of CAW_PY_STREAM."""

    def test_each_convention_is_called(self, run_asyncio: Run) -> None:
        async def main() -> None:
            assert await items(t.range(3, 6)) == [3, 4, 5]
            assert await items(t.up_to(3)) == [0, 1, 2]
            assert await items(t.count("a", "b")) == [0, 1]

        run_asyncio(main)

    def test_fields_after_the_doc_are_set(self, run_asyncio: Run) -> None:
        async def main() -> None:
            lists = await items(t.digits())
            assert max(map(len, lists)) <= 4
            assert [digit for one in lists for digit in one] == list(range(10))

        run_asyncio(main)


def test_methods_are_called_with_their_object(run_asyncio: Run) -> None:
    async def main() -> None:
        one, other = t.Accumulator(), t.Accumulator()
        assert [await one.add(2), await one.add(3), await other.add(1)] == [2, 5, 1]
        assert await items(one.steps()) == [0, 1, 2, 3, 4]

    run_asyncio(main)


@pytest.mark.parametrize("name", ["sleeps", "checks", "awaits"])
def test_tests_are_run(run_asyncio: Run, name: str) -> None:
    test = next(one for one in t.__cawait_tests__ if one.name == name)
    assert test.file.endswith("tables.cpp")

    async def main() -> None:
        assert await test.start(30) is None

    run_asyncio(main)
