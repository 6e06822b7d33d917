"""An import hook that has the suites of other projects run on native coroutines: a plugin of pytest.

In the modules that CAWAIT_SUITES names, every `async def` is replaced by a native coroutine, or native async generator,
around it. So what the suite says of coroutines of Python is said of ours: a task's root, what is awaited, thrown into,
closed, or iterated is native, and Python runs inside it.

    CAWAIT_SUITES="test.test_asyncio" python -m pytest --assert=plain -p native --pyargs test.test_asyncio

Without CAWAIT_SUITES nothing is replaced.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib.abc
import importlib.machinery
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

import _cawait_test as t

DECORATOR = "__cawait_native__"


def native(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose calls give a native coroutine around that of this `async def`, or a native async generator."""
    iterates = inspect.isasyncgenfunction(function)
    make = t.relay if iterates else t.await_

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        made = make(function(*args, **kwargs))
        made.__name__, made.__qualname__ = function.__name__, function.__qualname__
        return made

    # What inspect looks at. (inspect.markcoroutinefunction marks in __dict__, which functools.wraps copies.) The
    # interpreter itself goes by the instructions, from 3.11 on.
    kind = inspect.CO_ASYNC_GENERATOR if iterates else inspect.CO_COROUTINE
    call.__code__ = call.__code__.replace(co_flags=call.__code__.co_flags | kind)
    return call


class Natively(ast.NodeTransformer):
    """Gives every `async def` the decorator, below all that it has."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """One of them, with those inside it."""
        self.generic_visit(node)
        name = ast.Name(DECORATOR, ast.Load())
        node.decorator_list.append(ast.copy_location(name, node))
        return node


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from its source, never from a file with bytecode."""

    def get_code(self, fullname: str) -> Any:
        """The code of the changed tree."""
        path = self.get_filename(fullname)
        tree = Natively().visit(ast.parse(self.get_data(path), path))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules with these names, and those inside them."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The usual spec, with the loader of this file."""
        if not any(fullname == name or fullname.startswith(f"{name}.") for name in self.names):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = Loader(fullname, spec.loader.path)
        return spec


setattr(builtins, DECORATOR, native)
sys.meta_path.insert(0, Finder(os.environ.get("CAWAIT_SUITES", "").split()))
