"""Async functions made in C, of modules and of types: their attributes, and how they take arguments."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import inspect
import pickle
import pydoc
import sys
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

import _cawait_test as t


def outcome(coroutine: Any) -> Any:
    """The result of a coroutine that is ready at once."""
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    return stop.value.value


FUNCTIONS = {
    "varargs": t.add,
    "noargs": t.nothing,
    "o": t.ready,
    "fastcall": t.count,
    "unbound": t.Op.wait,
    "bound": t.Op().wait,
    "partial": functools.partial(t.add, 1),
    "partial of bound": functools.partial(t.Op().wait),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_function_is_known_as_a_coroutine_function(function: Any) -> None:
    assert inspect.iscoroutinefunction(function)
    if sys.version_info < (3, 14):  # it is deprecated
        assert asyncio.iscoroutinefunction(function)
    assert not inspect.isgeneratorfunction(function)
    assert not inspect.isasyncgenfunction(function)


def test_function_is_a_routine_and_callable() -> None:
    for function in (t.add, t.Op.wait, t.Op().wait):
        assert inspect.isroutine(function)
        assert callable(function)
    assert inspect.ismethod(t.Op().wait)


def test_mock_takes_it_for_an_async_function() -> None:
    assert isinstance(mock.create_autospec(t.Op).wait, mock.AsyncMock)
    assert inspect.iscoroutinefunction(mock.create_autospec(t.add))


def test_wraps_copies_what_it_needs() -> None:
    @functools.wraps(t.add)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await t.add(*args, **kwargs)

    assert (wrapper.__name__, wrapper.__doc__) == ("add", "The sum of two integers.")
    assert inspect.signature(wrapper) == inspect.signature(t.add)
    assert outcome(wrapper(1)) == 11


# --- signatures and help ---


@pytest.mark.parametrize(
    "function, signature",
    [
        (t.add, "(a, b=10)"),
        (t.ready, "(value, /)"),
        (t.count, "(*args, **kwargs)"),
        (t.Op.wait, "(self, /)"),
        (t.Op().wait, "()"),
        (functools.partial(t.add, 1), "(b=10)"),
        # without a signature in the doc: from the calling convention
        (t.nothing, "()"),
        (t.blocking, "(arg, /)"),
        (t.yield_times, "(*args, **kwargs)"),
        (t.makes_nothing_undocumented, "()"),
        (t.gives_nothing, "()"),
        (t.Gate.nothing, "(self, /)"),
        (t.Gate().nothing, "()"),
        (t.Op.wait_detached, "(self, /)"),
        (t.Op().wait_detached, "()"),
    ],
)
def test_signature_is_that_of_the_doc(function: Any, signature: str) -> None:
    assert str(inspect.signature(function)) == signature


def test_signature_binds_arguments() -> None:
    bound = inspect.signature(t.add).bind(1, b=2)
    assert bound.arguments == {"a": 1, "b": 2}
    with pytest.raises(TypeError):
        inspect.signature(t.add).bind()
    assert inspect.signature(t.add).parameters["b"].default == 10


def test_text_signature_and_doc_are_apart() -> None:
    assert (t.add.__text_signature__, t.add.__doc__) == ("(a, b=10)", "The sum of two integers.")
    assert (t.Op.wait.__text_signature__, t.Op.wait.__doc__) == ("($self)", "The value, once resolved.")
    assert (t.nothing.__text_signature__, t.nothing.__doc__) == (None, "No signature, some text.")
    assert (t.fail.__text_signature__, t.fail.__doc__) == (None, None)
    assert t.count.__doc__ == ""


def help_text(thing: Any) -> str:
    return pydoc.render_doc(thing, renderer=pydoc.plaintext)


def test_help_of_a_function_shows_signature_and_doc() -> None:
    assert "async add(a, b=10)\n    The sum of two integers." in help_text(t.add)
    assert "async nothing()\n    No signature, some text." in help_text(t.nothing)


def test_help_of_a_method_shows_signature_and_doc() -> None:
    assert "async wait(self, /)\n    The value, once resolved." in help_text(t.Op.wait)
    assert "async wait()" in help_text(t.Op().wait)
    assert "async wait_detached()" in help_text(t.Op().wait_detached)


def test_help_of_the_module_lists_its_functions() -> None:
    text = help_text(t)
    assert "async add(a, b=10)\n        The sum of two integers." in text
    assert "async ready(value, /)\n        Ready at once." in text


def test_help_of_the_type_lists_its_methods() -> None:
    text = help_text(t.Op)
    methods = text[text.index("Methods defined here") : text.index("Data descriptors")]
    assert "async wait(self, /)\n |      The value, once resolved." in methods


# --- names ---


def test_names_and_module_are_set() -> None:
    assert (t.add.__name__, t.add.__qualname__, t.add.__module__) == ("add", "add", "_cawait_test")
    assert (t.Op.wait.__name__, t.Op.wait.__qualname__) == ("wait", "Op.wait")
    assert t.Op.wait.__module__ == "_cawait_test"
    assert t.renamed.__qualname__ == "Somewhere.renamed"
    assert inspect.getmodule(t.add) is t


def test_repr_says_what_it_is() -> None:
    assert repr(t.add).startswith("<async function add at 0x")
    assert repr(t.Op.wait).startswith("<async function Op.wait at 0x")
    assert repr(t.Op().wait).startswith("<bound method Op.wait of <_cawait_test.Op object")


def test_annotations_defaults_and_code_are_there() -> None:
    assert t.add.__annotations__ == {} and typing.get_type_hints(t.add) == {}
    assert t.add.__annotations__ is t.add.__annotations__ and t.Op.wait.__annotations__ is t.Op().wait.__annotations__
    assert t.add.__type_params__ == t.numbers.__type_params__ == ()
    assert t.add.__defaults__ is None and t.add.__kwdefaults__ is None
    assert isinstance(t.add.__code__, types.CodeType)
    assert t.add.__code__.co_name == "add"
    assert t.add.__code__.co_filename.endswith("functions.c")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_function_is_pickled_by_name(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(t.add, protocol)) is t.add
    assert pickle.loads(pickle.dumps(t.Op.wait, protocol)) is t.Op.wait


def test_copy_of_a_function_is_itself() -> None:
    assert copy.copy(t.add) is t.add
    assert copy.deepcopy(t.Op.wait) is t.Op.wait


def test_function_can_be_referred_to_weakly() -> None:
    assert weakref.ref(t.add)() is t.add
    assert weakref.WeakKeyDictionary({t.Op.wait: 1})[t.Op.wait] == 1


def test_function_can_be_compared_and_hashed() -> None:
    op = t.Op()
    assert op.wait == op.wait and hash(op.wait) == hash(op.wait)
    assert op.wait != t.Op().wait
    assert {t.add: 1}[t.add] == 1


def test_type_of_functions_cannot_be_made() -> None:
    for function in (t.add, t.Op.wait):
        with pytest.raises(TypeError):
            type(function)()


# --- arguments ---


@pytest.mark.parametrize(
    "make, value",
    [
        (lambda: t.add(1), 11),
        (lambda: t.add(1, 2), 3),
        (lambda: t.add(a=1, b=2), 3),
        (lambda: t.add(*[1], **{"b": 2}), 3),
        (lambda: t.nothing(), 0),
        (lambda: t.nothing(*(), **{}), 0),
        (lambda: t.Gate().nothing(*(), **{}), None),
        (lambda: t.ready("x"), "x"),
        (lambda: t.count(), 0),
        (lambda: t.count(1, 2, 3), 3),
        (lambda: t.count(1, x=1, y=2), 201),
        (lambda: functools.partial(t.add, b=5)(1), 6),
        (lambda: types.MethodType(t.add, 1)(2), 3),
    ],
)
def test_each_convention_takes_its_arguments(make: Callable[[], Any], value: Any) -> None:
    assert outcome(make()) == value


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: t.add(), "add"),
        (lambda: t.add(1, 2, 3), "add"),
        (lambda: t.add("x"), "integer|interpreted"),
        (lambda: t.add(1, c=2), "add|keyword"),
        (lambda: t.add(1, a=2), "add"),
        (lambda: t.nothing(1), r"nothing\(\) takes no arguments \(1 given\)"),
        (lambda: t.nothing(x=1), r"nothing\(\) takes no keyword arguments"),
        (lambda: t.ready(), r"ready\(\) takes exactly one argument \(0 given\)"),
        (lambda: t.ready(1, 2), r"ready\(\) takes exactly one argument \(2 given\)"),
        (lambda: t.ready(value=1), r"ready\(\) takes (exactly one argument|no keyword arguments)"),
        (lambda: t.ready(1, x=1), r"ready\(\) takes no keyword arguments"),
        (lambda: t.Op().wait(1), r"Op.wait\(\) takes no arguments \(1 given\)"),
        (lambda: t.Op().wait(x=1), r"Op.wait\(\) takes no keyword arguments"),
        (lambda: t.makes_nothing(1), r"makes_nothing\(\) takes no arguments \(1 given\)"),
        (lambda: t.makes_nothing(x=1), r"makes_nothing\(\) takes no keyword arguments"),
        (lambda: t.gives_nothing(1, 2, x=3), r"gives_nothing\(\) takes no arguments \(2 given\)"),
        (lambda: t.gives_nothing(**{"x": 1}), r"gives_nothing\(\) takes no keyword arguments"),
        (lambda: t.Gate().nothing(None), r"Gate.nothing\(\) takes no arguments \(1 given\)"),
        (lambda: t.sleep("x"), "real number|float"),
    ],
)
def test_wrong_arguments_are_a_type_error_at_the_call(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("args", [(), (5,), (None,), (object(),), (t.Op,)])
def test_method_refuses_what_is_not_its_type(args: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="method 'Op.wait' requires a '.*Op' object as its first argument"):
        t.Op.wait(*args)


def test_method_refuses_an_object_of_another_type_of_the_module() -> None:
    with pytest.raises(TypeError, match="requires a '.*Op' object"):
        t.Op.wait(t.Gate())
    with pytest.raises(TypeError, match="requires a '.*Gate' object"):
        t.Gate.wait(t.Op())


def test_call_evaluates_its_arguments_at_once_and_runs_nothing() -> None:
    op = t.Op()
    coroutine = op.wait()
    assert (op.started, op.freed) == (0, 0)
    coroutine.close()
    assert (op.started, op.cancelled, op.freed) == (0, 0, 1)


def test_many_keywords_are_no_problem() -> None:
    assert outcome(t.count(**{f"k{i}": i for i in range(300)})) == 30000


def test_null_arguments_are_errors() -> None:
    assert t.null_arguments() == [SystemError] * 6


# --- binding ---


def test_module_function_does_not_bind_in_a_class() -> None:
    class User:
        ready = t.ready

    assert User().ready is t.ready
    assert outcome(User().ready(3)) == 3
    assert outcome(User.ready(3)) == 3


def test_method_binds_to_instances_of_a_subclass(run: Callable[..., Any]) -> None:
    class Sub(t.Op):
        async def wait(self) -> Any:
            return "sub", await super().wait()

    async def main() -> Any:
        op = Sub("value")
        op.resolve_later(100)
        return await op.wait()

    assert run(main) == ("sub", "value")
    assert outcome_of_unbound(Sub) == "Op.wait"


def outcome_of_unbound(kind: Any) -> str:
    """The qualified name of the coroutine of Op.wait called on an object of another class."""
    op = kind()
    coroutine = t.Op.wait(op)
    coroutine.close()
    return coroutine.__qualname__


def test_inherited_method_keeps_its_name() -> None:
    class Sub(t.Op):
        pass

    assert Sub.wait is t.Op.wait
    assert inspect.iscoroutinefunction(Sub().wait)
    assert str(inspect.signature(Sub().wait)) == "()"


def test_bound_method_keeps_its_object_and_nothing_more() -> None:
    class Sub(t.Op):
        pass

    op = Sub()
    reference = weakref.ref(op)
    method = op.wait
    assert method.__self__ is op and method.__func__ is t.Op.wait
    del op
    gc.collect()
    assert reference() is not None
    del method
    assert reference() is None


def test_descriptor_gives_itself_for_the_class() -> None:
    assert t.Op.__dict__["wait"].__get__(None, t.Op) is t.Op.wait
    assert t.add.__get__(object(), object) is t.add


def test_call_count_does_not_change_reference_counts() -> None:
    op = t.Op()
    for call in (op.wait, lambda: t.Op.wait(op), lambda: t.add(1), lambda: t.count(x=op), lambda: t.ready(op)):
        call().close()
        before = sys.getrefcount(op), sys.getrefcount(t.Op.wait)
        for _ in range(100):
            call().close()
        assert (sys.getrefcount(op), sys.getrefcount(t.Op.wait)) == before
