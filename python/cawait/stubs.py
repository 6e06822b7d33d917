"""Writes the stub (.pyi) of an extension module that is built with cawait.

    python -m cawait stubs MODULE [-o FILE] [--force] [--no-docstrings]

The module is imported, and its tables say what is in the stub: async functions and methods (`async def`), those that
return async generators, their plain functions (sync_name), and whatever else the module has. The types are those of
the signature lines, "read(path: str, size: int = -1) -> bytes\\n--\\n\\n" (caw_py_spec in cawait/python_coroutine.h).
CPython takes no types in the line of a plain function (PyMethodDef) or of a type (tp_doc), and attributes (PyGetSetDef,
PyMemberDef) have none. So those are read from the text below:

    "size(path)\\n--\\n\\nsize(path: str) -> int\\n\\nHow many bytes a file has."
    "Connection(path)\\n--\\n\\nConnection(path: str)\\n\\nA connection."
    "int: How many there are."      of an attribute

What has no type is Any. A type that cannot be read is Any too, and a line on stderr says so.

Nothing tells whether an attribute of PyGetSetDef can be set: the stub has a property that cannot. A file that exists is
replaced only with --force: it may be one that was written by hand.

The stub has the docs, since editors do not look for them in an extension module. Nor does Sphinx (autodoc), which
imports a stub beside the module in its place. So the stub can be run: classes come after their bases, and annotations
are not evaluated. Classes that can be subclassed need typing_extensions then, for Self and disjoint_base (PEP 800).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import inspect
import keyword
import os
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cawait._stub_types import Mistake, Signature, Types, arguments_texts, in_doc, parsed, parsed_type

BRIDGE = "__cawait__"  # the attribute by which a module holds the library's state
WIDTH = 100
CAN_BE_SUBCLASSED = 1 << 10  # Py_TPFLAGS_BASETYPE
ABOUT_MODULE = frozenset(
    "__name__ __doc__ __package__ __loader__ __spec__ __file__ __path__ __cached__ __builtins__ __all__".split()
)
ABOUT_CLASS = frozenset(
    "__doc__ __module__ __qualname__ __dict__ __weakref__ __new__ __getattribute__ __getattr__ __setattr__ __delattr__ "
    "__init_subclass__ __subclasshook__ __reduce__ __reduce_ex__ __getstate__ __setstate__ __text_signature__ "
    "__annotations__ __annotations_cache__ __annotate_func__ __static_attributes__ __firstlineno__ __slots__".split()
)
ANY_ITEMS: dict[type, str] = {tuple: "Any, ...", list: "Any", set: "Any", frozenset: "Any", dict: "Any, Any"}
GENERATORS = frozenset("AsyncIterator AsyncIterable AsyncGenerator".split())
RETURNS = {
    **dict.fromkeys("__len__ __hash__ __int__ __index__ __length_hint__".split(), "int"),
    **dict.fromkeys("__repr__ __str__ __format__".split(), "str"),
    **dict.fromkeys("__bool__ __contains__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__".split(), "bool"),
    **dict.fromkeys("__setitem__ __delitem__ __init__ __del__ __set__ __delete__".split(), "None"),
    "__float__": "float",
    "__bytes__": "bytes",
    "__await__": "Generator[Any, Any, Any]",
    "__anext__": "Awaitable[Any]",
}


class Refused(Exception):
    """Why there is no stub. `code` is the exit code."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class Stub:
    """The stub of a module, as it is written; `notes` are its mistakes."""

    def __init__(self, module: types.ModuleType, docstrings: bool = True) -> None:
        self.module = module
        self.names = {name: value for name, value in vars(module).items() if name not in ABOUT_MODULE | {BRIDGE}}
        self.types = Types(module.__name__, self.names)
        self.docstrings = docstrings
        self.notes: list[str] = []

    def text(self) -> str:
        """All of it."""
        body: list[str] = []
        for name in self.ordered():
            lines = self.member(name, self.names[name])
            if body and (lines[-1].startswith(" ") or body[-1].startswith(" ")):
                body.append("")
            body += lines
        head = [
            f"# Made by `python -m cawait stubs {self.module.__name__}`, from the docs of its tables.",
            "from __future__ import annotations  # for Sphinx, which runs this",
        ]
        every = getattr(self.module, "__all__", None)
        listed = [f"__all__ = {list(map(str, every))!r}"] if isinstance(every, (list, tuple)) else []
        parts = [head, self.types.imports(), listed, body]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def ordered(self) -> list[str]:
        """The names in the order of the module; but a class stands behind those that it is made of."""
        order: dict[str, None] = {}
        for name, value in self.names.items():
            if not name.isidentifier() or keyword.iskeyword(name):
                continue
            for base in reversed(value.__mro__) if isinstance(value, type) else ():
                order.update((first, None) for first, other in self.names.items() if other is base)
            order[name] = None
        return list(order)

    # --- what a module has ---

    def member(self, name: str, value: object) -> list[str]:
        """One name of the module."""
        if isinstance(value, type):
            return self.class_of_module(name, value)
        if isinstance(value, types.ModuleType):
            return [f"import {value.__name__} as {name}"]
        if callable(value) and (hasattr(value, "__code__") or isinstance(value, types.BuiltinFunctionType)):
            return self.function(name, value)
        return [f"{name}: {self.value_type(value)}"]

    def class_of_module(self, name: str, cls: type) -> list[str]:
        """A class: its own, one of another module, or another name of either."""
        first = next(known for known, value in self.names.items() if value is cls)
        if first != name:
            return [f"{name} = {first}"]
        elsewhere = sys.modules.get(cls.__module__)
        parent = self.module.__name__.startswith(f"{cls.__module__}.")
        if elsewhere in (None, self.module) or parent or getattr(elsewhere, cls.__qualname__, None) is not cls:
            return self.class_body(name, cls)
        if cls.__module__ == "builtins":
            self.types.add("builtins")
            return [f"{name} = builtins.{cls.__qualname__}"]
        if "." in cls.__qualname__:
            self.types.add(cls.__module__)
            return [f"{name} = {cls.__module__}.{cls.__qualname__}"]
        return [f"from {cls.__module__} import {cls.__qualname__} as {name}"]

    def value_type(self, value: object) -> str:
        """The type of a constant."""
        if isinstance(value, tuple) and type(value) is tuple:
            inner = ", ".join(map(self.value_type, value)) or "()"
            return f"{self.types.taken('builtins', 'tuple')}[{inner}]"
        if isinstance(value, (list, set, frozenset, dict)):
            inner = self.union(value)
            if isinstance(value, dict):
                inner += f", {self.union(value.values())}"
            return f"{self.types.of_class(type(value))}[{inner}]"
        with contextlib.suppress(Mistake):
            if not hasattr(type(value), "__class_getitem__"):  # of which nothing is known here
                return self.types.of_class(type(value))
        return self.types.any()

    def union(self, values: Iterable[object]) -> str:
        """The types of the items of a constant."""
        kinds = sorted({self.value_type(value) for value in values}, key=lambda kind: (kind == "None", kind))
        return " | ".join(kinds) or self.types.any()

    # --- functions ---

    def note(self, where: str, mistake: Mistake) -> None:
        """Say what could not be read."""
        self.notes.append(f"{where}: {mistake}")

    def signature(self, name: str, value: Any, where: str, method: bool) -> Signature:
        """The signature of what can be called: with types where it has some."""
        own = ("self", "cls") if method else ()
        line = in_doc(name, value.__doc__)
        if line and not hasattr(value, "__code__"):
            try:
                return parsed(line, own)
            except Mistake as mistake:
                self.note(where, mistake)
        text = getattr(value, "__text_signature__", None)
        try:
            if text:
                return parsed(text, own)
            return parsed(str(inspect.signature(value)), own)
        except Mistake as mistake:
            self.note(where, mistake)
        except (ValueError, TypeError):
            pass  # CPython knows none
        return parsed("(*args, **kwargs)")

    def type_text(self, node: ast.expr | None, where: str, default: str = "") -> str:
        """A type; what is written in its place is Any, or another default in terms of what a stub may name."""
        try:
            if node is not None:
                return self.types.text(node)
        except Mistake as mistake:
            self.note(where, mistake)
        return self.types.text(parsed_type(default or "Any"))

    def returned(self, value: Any, signature: Signature, where: str, default: str) -> str:
        """What a function returns, or what an async one gives."""
        node = signature.returns
        if not inspect.isasyncgenfunction(value):
            return self.type_text(node, where, default)
        if node is not None:
            base = ast.unparse(node.value if isinstance(node, ast.Subscript) else node).rpartition(".")[2]
            if base not in GENERATORS:
                wrong = f"'{ast.unparse(node)}' is not what it returns: write AsyncGenerator[{ast.unparse(node)}, None]"
                self.note(where, Mistake(wrong))
                node = None
        return self.type_text(node, where, "AsyncGenerator[Any, Any]")

    def function(self, name: str, value: Any, first: str = "", default: str = "") -> list[str]:
        """A function; or, where its first argument is given, a method. `default`: what it returns if nothing says
        so."""
        where = getattr(value, "__qualname__", name) if first else name
        signature = self.signature(name, value, where, bool(first))

        def argument(node: ast.expr | None, argument_name: str) -> str:
            of_any = "object" if name in ("__eq__", "__ne__") else ""
            return self.type_text(node, f"{where}, argument {argument_name}", of_any)

        arguments = arguments_texts(signature.arguments, argument)
        returned = self.returned(value, signature, where, default)
        head = "async def" if inspect.iscoroutinefunction(value) else "def"
        if first:
            arguments.insert(0, first)
        return self.with_doc(written(f"{head} {name}", arguments, returned), value)

    def with_doc(self, lines: list[str], value: object) -> list[str]:
        """The function with its docstring, where that is wanted."""
        doc = self.doc(getattr(value, "__name__", ""), value)
        return [*lines[:-1], lines[-1].removesuffix(" ..."), *doc] if doc else lines

    def doc(self, name: str, value: object) -> list[str]:
        """The lines of a docstring, where that is wanted. The signature that it may begin with is not repeated."""
        own = getattr(value, "__doc__", None)
        known = isinstance(value, types.WrapperDescriptorType)  # __len__ and the like: the text is CPython's
        text = inspect.cleandoc(own) if self.docstrings and not known and isinstance(own, str) else ""
        if in_doc(name, text):
            text = text.partition("\n")[2].strip()
        if isinstance(value, types.GetSetDescriptorType) and self.attribute(value):
            text = text.partition(":")[2].strip()
        return [f"    {line}".rstrip() for line in quoted(text)] if text else []

    # --- classes ---

    def class_body(self, name: str, cls: type) -> list[str]:
        """A class with all that it has."""
        bases = [self.base(base) for base in cls.__bases__ if base is not object]
        head = f"class {name}({', '.join(bases)}):" if bases else f"class {name}:"
        if not cls.__flags__ & CAN_BE_SUBCLASSED:
            head = f"@{self.types.taken('typing', 'final')}\n{head}"
        elif has_shape_of_its_own(cls):
            head = f"@{self.types.taken('typing_extensions', 'disjoint_base')}\n{head}"
        outside, self.types.members = self.types.members, frozenset(vars(cls))
        body = [f"    {line}" for line in self.class_members(cls)]
        self.types.members = outside
        body = [*self.doc(name, cls), *body]
        *decorators, head = head.split("\n")
        return [*decorators, head, *body] if body else [*decorators, f"{head} ..."]

    def base(self, cls: type) -> str:
        """What a class is made of."""
        inner = ANY_ITEMS.get(cls)
        return self.types.of_class(cls) + (f"[{inner.replace('Any', self.types.any())}]" if inner else "")

    def class_members(self, cls: type) -> Iterator[str]:
        """The lines in the class."""
        if "__new__" in vars(cls) and "__init__" not in vars(cls):
            final = not cls.__flags__ & CAN_BE_SUBCLASSED
            yield from self.constructor(cls, "__new__", "cls", cls.__name__ if final else "Self")
        for name, value in vars(cls).items():
            if name == "__init__":
                yield from self.constructor(cls, name, "self", "None")
            elif name == "__hash__" and value is None:
                yield f"__hash__: {self.types.taken('typing', 'ClassVar')}[None]  # type: ignore[assignment]"
            elif name.isidentifier() and not keyword.iskeyword(name) and name not in ABOUT_CLASS:
                yield from self.class_member(cls, name, value)

    def constructor(self, cls: type, name: str, first: str, returned: str) -> list[str]:
        """__new__ or __init__, whose signature is that of the class."""
        signature = parsed("(*args, **kwargs)")
        for text in (in_doc(cls.__name__, cls.__doc__), getattr(cls, "__text_signature__", None)):
            try:
                if text:
                    signature = parsed(text)
                    break
            except Mistake as mistake:
                self.note(cls.__qualname__, mistake)
        where = f"{cls.__qualname__}, argument"
        arguments = arguments_texts(signature.arguments, lambda node, of: self.type_text(node, f"{where} {of}"))
        return written(f"def {name}", [first, *arguments], self.type_text(parsed_type(returned), where))

    def class_member(self, cls: type, name: str, value: Any) -> list[str]:
        """An attribute of a class."""
        if isinstance(value, (types.GetSetDescriptorType, property)):
            getter = self.with_doc([f"def {name}(self) -> {self.attribute(value) or self.types.any()}: ..."], value)
            return [f"@{self.types.taken('builtins', 'property')}", *getter]
        if isinstance(value, types.MemberDescriptorType):
            return [f"{name}: {self.attribute(value) or self.types.any()}"]
        if isinstance(value, (staticmethod, classmethod, types.ClassMethodDescriptorType)):
            kind = "staticmethod" if isinstance(value, staticmethod) else "classmethod"
            first = "" if kind == "staticmethod" else "cls"
            bound = getattr(cls, name)
            lines = self.function(name, bound, first)
            return [f"@{self.types.taken('builtins', kind)}", *lines]
        if isinstance(value, type):
            return self.class_body(name, value) if value.__qualname__ == f"{cls.__qualname__}.{name}" else []
        if callable(value) and hasattr(value, "__get__"):
            return self.function(name, value, "self", self.slot_returns(cls, name))
        return [f"{name}: {self.types.taken('typing', 'ClassVar')}[{self.value_type(value)}]"]

    def slot_returns(self, cls: type, name: str) -> str:
        """What a special method returns, if nothing says so."""
        if name == "__iter__":
            return "Self" if "__next__" in vars(cls) else "Iterator[Any]"
        if name == "__aiter__":
            return "Self" if "__anext__" in vars(cls) else "AsyncIterator[Any]"
        return RETURNS.get(name, "")

    def attribute(self, value: Any) -> str:
        """The type that the doc of an attribute begins with, as in "int: The size."; else an empty text."""
        head, colon, _ = (value.__doc__ or "").partition(":")
        with contextlib.suppress(Mistake):
            if colon:
                return self.types.text(parsed_type(head))
        return ""


def written(head: str, arguments: Sequence[str], returned: str) -> list[str]:
    """The lines of a function."""
    line = f"{head}({', '.join(arguments)}) -> {returned}: ..."
    if len(line) <= WIDTH:
        return [line]
    return [f"{head}(", *(f"    {argument}," for argument in arguments), f") -> {returned}: ..."]


def quoted(doc: str) -> list[str]:
    """A docstring."""
    text = doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text = text[:-1] + '\\"'
    lines = text.split("\n")
    return [f'"""{text}"""'] if len(lines) == 1 else [f'"""{lines[0]}', *lines[1:], '"""']


def has_shape_of_its_own(cls: type) -> bool:
    """Whether a class cannot be a base beside another such one (PEP 800): its objects are larger than its base's."""
    base = cls.__base__
    assert base is not None
    size, pointer = cls.__basicsize__, object.__basicsize__ // 2
    if sys.version_info < (3, 12):
        for offset in ("__weakrefoffset__", "__dictoffset__"):  # which count from 3.12 on, if an author has placed them
            if not getattr(base, offset) and getattr(cls, offset) + pointer == size:
                size -= pointer
    return size != base.__basicsize__ or cls.__itemsize__ != base.__itemsize__


# --- the command ---


def imported(name: str) -> types.ModuleType:
    """The module. What it prints meanwhile goes to stderr."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise Refused(f"the import of {name} fails: {error}", 1) from None
        raise Refused(f"there is no module {name}: is it built, and in a folder of sys.path?", 2) from None
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        raise Refused(f"the import of {name} fails: {type(error).__name__}{reason and ': '}{reason}", 1) from None
    if BRIDGE in vars(module):
        return module
    inside = [other for other in sys.modules if other.startswith(f"{name}.") and BRIDGE in vars(sys.modules[other])]
    hint = f"{' and '.join(inside)} has" if inside else "it is not built with cawait, or it is a package around what is"
    raise Refused(f"{name} has no tables of cawait: {hint}", 2)


def write(text: str, output: str | None, force: bool) -> None:
    """Write it to a file, or to stdout."""
    if output and os.path.isdir(output):
        raise Refused(f"{output} is a folder", 2)
    try:
        if output:
            with open(output, "w" if force else "x", encoding="utf-8") as file:
                file.write(text)
        elif sys.stdout:
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            raise Refused("cannot write to stdout: it is closed", 1)
    except FileExistsError:
        raise Refused(f"{output} is there already: --force replaces it", 2) from None
    except OSError as error:
        if not output:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is buffered is written again at exit
        raise Refused(f"cannot write {output or 'to stdout'}: {error.strerror}", 1) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `python -m cawait stubs`. Returns its exit code."""
    assert __doc__
    parser = argparse.ArgumentParser("python -m cawait stubs", description=__doc__.split("\n")[0])
    parser.add_argument("module", metavar="MODULE", help="as it is imported: fast, or package._native")
    parser.add_argument("-o", "--output", metavar="FILE", help="where it is written (default: stdout)")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    parser.add_argument("--no-docstrings", action="store_true", help="leave the docs out")
    options = parser.parse_args(arguments)
    try:
        stub = Stub(imported(options.module), not options.no_docstrings)
        write(stub.text(), options.output, options.force)
    except Refused as refused:
        print(f"cawait stubs: {refused}", file=sys.stderr)
        return refused.code
    for note in stub.notes:
        print(f"cawait stubs: {note}; it is Any in the stub", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
