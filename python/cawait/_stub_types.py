"""The signatures and types in the docs of an extension module, as text for a stub (stubs.py)."""

from __future__ import annotations

import ast
import builtins
import collections.abc
import importlib
import re
import types
import typing
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

# What a stub takes from typing_extensions, so that it can be read for any version: what builtins, collections.abc and
# typing of CPython 3.10 have not.
LATER = frozenset(
    "Buffer LiteralString Never NotRequired ReadOnly Required Self TypeIs TypeVarTuple Unpack disjoint_base".split()
)
IN_TYPING = frozenset(typing.__all__) - LATER
IN_ABC = frozenset(collections.abc.__all__) - LATER
ALIASES = (type, types.GenericAlias, types.UnionType, type(typing.List[int]), typing.TypeVar)  # noqa: UP006


class Mistake(Exception):
    """A type or a signature that cannot be taken."""


class Types:
    """The types that a stub names, and what it imports for them."""

    def __init__(self, module: str, names: dict[str, object]) -> None:
        self.module = module
        self.names = names  # of the module
        self.members: Collection[str] = ()  # of the class that is being written
        self.imported: dict[str, set[str]] = {}  # names by module; "" is the module itself

    def add(self, module: str, name: str = "") -> None:
        """Import a module, or a name of it."""
        self.imported.setdefault(module, set()).add(name)

    def imports(self) -> list[str]:
        """The lines that import all of it."""
        plain = [f"import {module}" for module in sorted(self.imported) if "" in self.imported[module]]
        named = {module: sorted(names - {""}) for module, names in sorted(self.imported.items())}
        return plain + [f"from {module} import {', '.join(names)}" for module, names in named.items() if names]

    def shadowed(self, name: str) -> bool:
        """Whether the name means something else where the type is written."""
        return name in self.members or name in self.names

    def taken(self, module: str, name: str) -> str:
        """A name of a module, as the stub writes it."""
        if self.shadowed(name):
            self.add(module)
            return f"{module}.{name}"
        if module != "builtins":
            self.add(module, name)
        return name

    def any(self) -> str:
        """What stands for a type that is not known."""
        return self.taken("typing", "Any")

    def name(self, name: str) -> str:
        """A single name in a type."""
        if name not in self.members and isinstance(self.names.get(name), ALIASES):
            return name
        if name in LATER:
            return self.taken("typing_extensions", name)
        if isinstance(vars(builtins).get(name), type):
            return self.taken("builtins", name)
        for module, names in (("collections.abc", IN_ABC), ("typing", IN_TYPING)):
            if name in names:
                return self.taken(module, name)
        raise Mistake(f"the type '{name}' is not known")

    def dotted(self, name: str) -> str:
        """A name with dots in a type: of another module, or of a class of this one."""
        if name.startswith(f"{self.module}."):
            return self.name(name.removeprefix(f"{self.module}."))
        parts = name.split(".")
        if isinstance(self.names.get(parts[0]), type):
            return name
        for n in range(len(parts) - 1, 0, -1):
            module = ".".join(parts[:n])
            try:
                found: object = importlib.import_module(module)
                for part in parts[n:]:
                    found = getattr(found, part)
            except (ImportError, AttributeError):
                continue
            self.add(module)
            return name
        raise Mistake(f"the type '{name}' is not known")

    def text(self, node: ast.expr) -> str:
        """A type as the stub writes it. Mistake: it is none."""
        return ast.unparse(TypeNames(self).visit(node))

    def of_class(self, cls: type) -> str:
        """A class, by its name. Mistake: a stub cannot name it."""
        if cls is type(None):
            return "None"
        for name, value in self.names.items():
            if value is cls and name not in self.members:
                return name
        if vars(builtins).get(cls.__qualname__) is cls:
            return self.taken("builtins", cls.__qualname__)
        return self.dotted(f"{cls.__module__}.{cls.__qualname__}")


class TypeNames(ast.NodeTransformer):
    """Puts names that the stub can use into a type."""

    def __init__(self, types: Types) -> None:
        self.types = types

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802
        """A name."""
        return parsed_type(self.types.name(node.id))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:  # noqa: N802
        """A name with dots."""
        return parsed_type(self.types.dotted(ast.unparse(node)))

    def visit_Constant(self, node: ast.Constant) -> ast.expr:  # noqa: N802
        """None, or a type in quotes: a stub needs none."""
        if isinstance(node.value, str):
            unquoted: ast.expr = self.visit(parsed_type(node.value))
            return unquoted
        if node.value is not None and node.value is not ...:
            raise Mistake(f"'{node.value!r}' is no type")
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:  # noqa: N802
        """What is in the brackets of a Literal are values."""
        node.value = self.visit(node.value)
        if ast.unparse(node.value).rpartition(".")[2] != "Literal":
            node.slice = self.visit(node.slice)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Anything else: a few forms have a meaning in a type."""
        if isinstance(node, ast.expr) and not isinstance(node, (ast.BinOp, ast.List, ast.Tuple, ast.Starred)):
            raise Mistake(f"'{ast.unparse(node)}' is no type")
        return super().generic_visit(node)


def parsed_type(text: str) -> ast.expr:
    """A type in the language of Python."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise Mistake(f"'{text}' is no type") from None


# --- signatures ---


@dataclass
class Signature:
    """The arguments, without the object of a method, and the type that is returned."""

    arguments: ast.arguments
    returns: ast.expr | None = None

    def has_types(self) -> bool:
        """Whether it has any."""
        found = [node for node in ast.walk(self.arguments) if isinstance(node, ast.arg) and node.annotation]
        return bool(found) or self.returns is not None


def parsed(text: str, own: Collection[str] = ()) -> Signature:
    """A signature in the form of "($self, path: str, /) -> int", where `own` are names of the object."""
    bound = text.startswith("($")
    try:
        [node] = ast.parse(f"def f{text.replace('$', '', bound)}: ...").body
    except (SyntaxError, ValueError):
        raise Mistake(f"'{text}' is not in the language of Python") from None
    assert isinstance(node, ast.FunctionDef)
    first = node.args.posonlyargs or node.args.args
    if first and (bound or first[0].arg in own):
        del first[0]
    return Signature(node.args, node.returns)


def in_doc(name: str, doc: str | None) -> str | None:
    """The signature that a text begins with: a line "name(path: str) -> int"."""
    line = (doc or "").lstrip().split("\n", 1)[0].rstrip()
    found = re.fullmatch(rf"{re.escape(name)}(\(.*\)(?: -> .+)?)", line)
    return found[1] if found else None


def pairs(arguments: ast.arguments) -> Iterator[tuple[str, ast.arg | None, ast.expr | None]]:
    """(stars, argument, default) of each; stars without an argument are "/" or "*"."""
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(plain) - len(arguments.defaults)), *arguments.defaults]
    for i, (argument, default) in enumerate(zip(plain, defaults), 1):
        yield "", argument, default
        if i == len(arguments.posonlyargs):
            yield "/", None, None
    if arguments.vararg or arguments.kwonlyargs:
        yield "*", arguments.vararg, None
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        yield "", argument, default
    if arguments.kwarg:
        yield "**", arguments.kwarg, None


def default_text(node: ast.expr) -> str:
    """A default: its value where that is short and plain, else "..."."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return "..."
    text = repr(value)
    if isinstance(value, (str, bytes)) and '"' not in text:
        text = text.removesuffix("'").replace("'", '"', 1) + '"'
    return text if isinstance(value, (str, bytes, int, float, type(None))) and len(text) < 40 else "..."


def arguments_texts(arguments: ast.arguments, type_text: Callable[[ast.expr | None, str], str]) -> list[str]:
    """Each argument, as the stub writes it. `type_text` gives a type, for it and the argument's name."""
    texts = []
    for stars, argument, default in pairs(arguments):
        text = stars
        if argument:
            text += f"{argument.arg}: {type_text(argument.annotation, argument.arg)}"
        texts.append(text + (f" = {default_text(default)}" if default else ""))
    return texts
