"""Attributes of async functions made in C: those that are set, those of their types; and docs that are not right."""

from __future__ import annotations

import abc
import asyncio
import functools
import gc
import inspect
import pydoc
import re
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import _cawait_test as t

FRESH = ["function", "method", "generator function"]


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One of each kind of function; what the test sets is taken away again."""
    function = {"function": t.add, "method": t.Op.wait, "generator function": t.numbers}[request.param]
    names = {name: getattr(function, name) for name in ("__name__", "__qualname__")}
    yield function
    vars(function).clear()
    for name in SET:
        if name in names:
            setattr(function, name, names[name])
        elif not hasattr(function, name):
            continue
        else:
            delattr(function, name)


SET = {
    "__name__": "other",
    "__qualname__": "Some.other",
    "__doc__": "Another text.",
    "__module__": "some.where",
    "__annotations__": {"a": int},
    "__type_params__": (1,),
    "__signature__": inspect.Signature(),
}
each_kind_of_function = pytest.mark.parametrize("fresh", FRESH, indirect=True)


@each_kind_of_function
def test_any_attribute_can_be_set_as_on_a_function_of_python(fresh: Any) -> None:
    assert vars(fresh) == {}
    fresh.something_new = 1
    assert (fresh.something_new, vars(fresh)) == (1, {"something_new": 1})
    assert "something_new" in dir(fresh) and "__annotations__" in dir(fresh)
    del fresh.something_new
    assert not hasattr(fresh, "something_new")
    fresh.__dict__ = {"x": 2}
    assert fresh.x == 2


@each_kind_of_function
@pytest.mark.parametrize("name", SET)
def test_attribute_that_a_function_has_can_be_set(fresh: Any, name: str) -> None:
    before = getattr(fresh, name)
    setattr(fresh, name, SET[name])
    assert getattr(fresh, name) == SET[name] and vars(fresh) == {}
    if name not in ("__name__", "__qualname__"):
        delattr(fresh, name)
        assert getattr(fresh, name) == before


@each_kind_of_function
@pytest.mark.parametrize("name", ["__name__", "__qualname__", "__annotations__", "__type_params__", "__dict__"])
def test_attribute_of_a_wrong_type_is_refused(fresh: Any, name: str) -> None:
    before = getattr(fresh, name)
    with pytest.raises(TypeError, match=name):
        setattr(fresh, name, 5)
    assert getattr(fresh, name) == before


@each_kind_of_function
def test_code_and_defaults_cannot_be_set(fresh: Any) -> None:
    for name in ("__code__", "__defaults__", "__kwdefaults__"):
        with pytest.raises(AttributeError):
            setattr(fresh, name, None)


@each_kind_of_function
def test_function_that_wraps_another_takes_its_looks(fresh: Any) -> None:
    def wrapped() -> None:
        """The text."""

    wrapped.mark = 1  # type: ignore[attr-defined]
    assert functools.update_wrapper(fresh, wrapped) is fresh
    assert (fresh.__name__, fresh.__doc__, fresh.mark) == ("wrapped", "The text.", 1)
    assert fresh.__wrapped__ is wrapped and fresh.__qualname__ == wrapped.__qualname__


@each_kind_of_function
def test_decorators_that_set_an_attribute_work(fresh: Any) -> None:
    assert abc.abstractmethod(fresh).__isabstractmethod__
    assert typing.no_type_check(fresh).__no_type_check__
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(fresh)
        assert inspect.iscoroutinefunction(fresh)

        assert vars(fresh)


@each_kind_of_function
def test_annotations_that_are_set_are_seen(fresh: Any) -> None:
    fresh.__annotations__["a"] = int
    assert inspect.get_annotations(fresh) == typing.get_type_hints(fresh) == {"a": int}
    fresh.__annotations__ = {}


def test_coroutine_has_the_name_that_was_set() -> None:
    t.add.__name__, t.add.__qualname__ = "plus", "Math.plus"
    try:
        coroutine = t.add(1)
        assert (coroutine.__name__, coroutine.__qualname__) == ("plus", "Math.plus")
        coroutine.close()
        assert "Math.plus" in repr(t.add)
    finally:
        t.add.__name__, t.add.__qualname__ = "add", "add"


# --- their types ---


def test_types_have_the_attributes_of_types_and_no_descriptors(types_of_ours: list[type]) -> None:
    """As tools expect that look at the type of what they find: stubgen writes `type(f).__module__` into a file."""
    for kind in types_of_ours:
        for name in ("__module__", "__name__", "__qualname__"):
            assert isinstance(getattr(kind, name), str), (kind, name)
        assert isinstance(kind.__doc__, (str, type(None))), kind
        assert isinstance(getattr(kind, "__annotations__", {}), dict), kind
        assert isinstance(getattr(kind, "__type_params__", ()), tuple), kind
        assert isinstance(getattr(kind, "__text_signature__", None), (str, type(None))), kind
        assert isinstance(getattr(kind, "__signature__", None), (inspect.Signature, type(None))), kind
        assert inspect.get_annotations(kind) == {}
        assert pydoc.render_doc(kind)


@pytest.fixture
def types_of_ours() -> list[type]:
    """The type of every object that a module of ours makes; what is suspended is looked at in a loop."""
    seen: list[type] = [type(t.add), type(t.Op.wait), type(t.numbers)]

    async def main() -> None:
        op = t.Op()
        coroutine = op.wait()
        park = coroutine.send(None)
        generator = t.numbers(1)
        step = generator.__anext__()
        stream = t.byte_stream(None, None)
        seen.extend(map(type, (coroutine, coroutine.__await__(), park, generator, step, stream)))
        seen.extend(type(found) for found in gc.get_objects() if type(found).__name__ == "hub")
        coroutine.close()
        step.close()
        assert op.resolve()

    asyncio.run(main())
    return list(dict.fromkeys(seen))


# --- docs whose signature is not that of the function ---


@pytest.mark.parametrize(
    "doc, text",
    [
        ("another", r"the doc of 'fetch': 'fetsh\(a, b\)' is not the signature of the function"),
        ("longer", r"'fetch_all\(a, b\)' is not the signature"),
        ("text first", "'Fetch it.' is not the signature"),
        ("too many", r"'fetch\(a\)' is the signature of a function with arguments, which takes none"),
        ("too many for a frame", r"'fetch\(a\)' is the signature of a function with arguments, which takes none"),
        ("too many types", r"'fetch\(a: int\) -> int' is the signature of a function with arguments"),
        ("types of another", r"'fetsh\(a\) -> int' is not the signature of the function"),
        ("too few", r"'fetch\(\$module, /\)' is the signature of a function without arguments, which takes one"),
    ],
)
def test_doc_of_another_signature_is_an_error_when_the_module_is_made(doc: str, text: str) -> None:
    module = types.ModuleType("documented")
    with pytest.raises(SystemError, match=text):
        t.add_documented(module, doc)
    assert not hasattr(module, "fetch")


@pytest.mark.parametrize("doc, signature", [("no marker", "(arg, /)"), ("short marker", "()")])
def test_signature_line_that_is_not_complete_is_warned_of(doc: str, signature: str) -> None:
    module = types.ModuleType("documented")
    with pytest.warns(RuntimeWarning, match=rf"no \"\\n--\\n\\n\" ends it: its signature is {re.escape(signature)}"):
        t.add_documented(module, doc)
    assert str(inspect.signature(module.fetch)) == signature


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "doc, signature",
    [("good", "(url, /)"), ("empty", "()"), ("frame", "()"), ("text", "(arg, /)"), ("none", "(arg, /)")],
)
def test_other_docs_are_taken_as_they_are(doc: str, signature: str) -> None:
    module = types.ModuleType("documented")
    t.add_documented(module, doc)
    assert str(inspect.signature(module.fetch)) == signature
    if doc == "frame":
        assert str(inspect.signature(module.fetch_sync)) == signature and module.fetch_sync() is None
