"""Types in the signature line of a doc: what inspect, typing and pydoc say of them."""

from __future__ import annotations

import asyncio
import collections.abc
import functools
import inspect
import pydoc
import types
import typing
from typing import Any

import pytest

import _cawait_test as t


class Tag:
    """A class of the module."""


TYPES = {
    "url": str,
    "sizes": dict[str, int],
    "rest": Tag,
    "limit": Tag | None,
    "end": typing.Literal["->"],
    "return": collections.abc.Callable[[Tag], bytes],
}
KINDS = ["POSITIONAL_ONLY", "POSITIONAL_ONLY", "VAR_POSITIONAL", "KEYWORD_ONLY", "KEYWORD_ONLY"]


def documented(doc: str) -> Any:
    """A module with the function of that doc, and with the class."""
    module = types.ModuleType("documented")
    module.__dict__["Tag"] = Tag
    t.add_documented(module, doc)
    return module


@pytest.fixture(params=["fetch", "fetch_sync"])
def function(request: pytest.FixtureRequest) -> Any:
    """An async function with types, and its plain one."""
    return getattr(documented("types"), request.param)


def test_types_are_annotations(function: Any) -> None:
    assert function.__annotations__ == inspect.get_annotations(function) == TYPES
    assert function.__annotations__ is function.__annotations__
    assert typing.get_type_hints(function) == TYPES


def test_signature_has_kinds_defaults_and_types(function: Any) -> None:
    signature = inspect.signature(function)
    parameters = signature.parameters.values()
    assert [one.kind.name for one in parameters] == KINDS
    assert [one.default for one in parameters] == [inspect.Parameter.empty, ..., inspect.Parameter.empty, None, ")"]
    assert {one.name: one.annotation for one in parameters} | {"return": signature.return_annotation} == TYPES


def test_text_signature_is_what_is_written_and_the_doc_what_follows(function: Any) -> None:
    assert function.__text_signature__ == (
        "(url: str, sizes: dict[str, int] = ..., /, *rest: Tag, limit: Tag | None = None, end: Literal['->'] = ')')"
        " -> Callable[[Tag], bytes]"
    )
    assert function.__doc__ == "Fetch it."


def test_help_shows_the_types() -> None:
    shown = pydoc.render_doc(documented("types beside a module").fetch, renderer=pydoc.plaintext)
    assert "async fetch() -> int | None\n    Fetch it." in shown


def test_types_of_a_method_and_of_a_generator_function_are_shown() -> None:
    assert str(inspect.signature(t.Op.wait_python)) == "(self, /) -> _cawait_test.Op"
    assert str(inspect.signature(t.Op().wait_python)) == "() -> _cawait_test.Op"
    assert t.Op().wait_python.__annotations__ == {"return": t.Op}
    relay = inspect.signature(t.relay)
    assert relay.parameters["iterable"].annotation == collections.abc.AsyncIterable[Any]
    assert relay.return_annotation == collections.abc.AsyncGenerator[Any, Any]


def test_type_of_an_imported_module_is_found_and_one_that_is_not_known_stays_a_text() -> None:
    fetch = documented("types not known").fetch
    assert fetch.__annotations__ == {"a": "Nowhere[int]", "return": asyncio.Event}
    assert inspect.signature(fetch).parameters["a"].annotation == "Nowhere[int]"


def test_annotations_that_are_set_are_those_of_the_signature(function: Any) -> None:
    function.__annotations__ = {"url": bytes}
    assert inspect.signature(function).parameters["url"].annotation is bytes
    assert inspect.signature(function).return_annotation is inspect.Signature.empty
    del function.__annotations__
    assert function.__annotations__ == TYPES


def test_wrapper_of_a_function_with_types_has_its_signature(function: Any) -> None:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    assert inspect.signature(wrapper) == inspect.signature(function)


def test_types_that_are_no_python_leave_a_function_without_signature() -> None:
    fetch = documented("no Python").fetch
    assert fetch.__annotations__ == {} and inspect.iscoroutinefunction(fetch)
    with pytest.raises(ValueError, match=r"of 'fetch' is not in the language of Python: \(a: int\) -> list\["):
        inspect.signature(fetch)
    assert "Fetch it." in pydoc.render_doc(fetch, renderer=pydoc.plaintext)
