"""The example sum_numbers: what it does where the sum has no place in its type."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

sum_numbers = pytest.importorskip("sum_numbers", reason="the examples are not built")
Run = Callable[..., Any]


@pytest.mark.parametrize("add_up", [sum_numbers.sum, sum_numbers.sum_on_pool])
@pytest.mark.parametrize("number", [2**62, -(2**62) - 1])
def test_sum_that_is_too_large_is_an_error_and_closes_the_generator(run: Run, add_up: Any, number: int) -> None:
    closed = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for _ in range(100_000):
                yield number
        finally:
            closed.append(True)

    async def main() -> None:
        with pytest.raises(OSError) as seen:
            await add_up(numbers())
        assert seen.value.errno == errno.EOVERFLOW and closed == [True]

    run(main)
