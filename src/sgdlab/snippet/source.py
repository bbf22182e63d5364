"""Definitions of sgdlab's own modules as text that stands alone, with all that they refer to.

The text is taken from the source files and nothing of them is imported, so it is what runs have
used, and reading it needs no torch.
"""

import ast
import copy
import functools
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from sgdlab.errors import InputError
from sgdlab.snippet.strip import stripped

Import = tuple[str, str | None]
"""``(module, name)`` for ``from module import name``; ``(module, None)`` for ``import module``."""


@dataclass
class Part:
    """A part of a snippet.

    Attributes:
        text: The definitions, separated by two blank lines.
        imports: What the definitions need from elsewhere.
    """

    text: str = ""
    imports: set[Import] = field(default_factory=set)


@dataclass(frozen=True)
class _Module:
    lines: list[str]
    definitions: dict[str, ast.stmt]
    imports: dict[str, Import]
    checkers: frozenset[str]


def inlined(
    wanted: Iterable[tuple[str, str]],
    *,
    without: Collection[str] = (),
    renamed: Mapping[str, str] | None = None,
    keep_refusals: bool = False,
) -> Part:
    """Return definitions of sgdlab and everything of sgdlab that they use, in order of use.

    Args:
        wanted: Pairs of module and name: ``("sgdlab.optimizers.lion", "Lion")``.
        without: Names of methods to leave out.
        renamed: Other names for some of the definitions.
        keep_refusals: Keep what raises ``InputError``; see `stripped`.

    Raises:
        InputError: There is no such module or name.
        ValueError: Two modules define the same name.
    """
    collector = _Collector(without, renamed or {}, keep_refusals)
    for module, name in wanted:
        collector.add(module, name)
    return Part("\n\n\n".join(collector.texts.values()), collector.imports)


def methods(module: str, name: str) -> dict[str, ast.FunctionDef]:
    """Return the methods that a class of sgdlab defines itself.

    Raises:
        InputError: There is no such module or class.
    """
    node = _definition(module, name)
    body = node.body if isinstance(node, ast.ClassDef) else []
    return {s.name: s for s in body if isinstance(s, ast.FunctionDef)}


def _definition(module: str, name: str) -> ast.stmt:
    found = _module(module).definitions.get(name)
    if found is None:
        raise InputError(f"{module}.{name}: this version of sgdlab has no such definition")
    return found


class _Collector:
    def __init__(
        self, without: Collection[str], renamed: Mapping[str, str], keep_refusals: bool
    ) -> None:
        self._without = frozenset(without)
        self._renamed = renamed
        self._keep_refusals = keep_refusals
        self._from: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.imports: set[Import] = set()

    def add(self, module: str, name: str) -> None:
        """Add a definition after those that it uses."""
        if self._from.setdefault(name, module) != module:
            raise ValueError(f"{name} stands both in {self._from[name]} and in {module}")
        if name in self.texts:
            return
        source = _module(module)
        text, names = _text(module, name, self._without, self._keep_refusals)
        for used in names:
            if used in source.definitions and used != name:
                self.add(module, used)
            elif used in source.imports:
                origin, original = source.imports[used]
                if origin.split(".")[0] == "sgdlab" and original is not None:
                    self.add(origin, original)
                else:
                    self.imports.add((origin, original))
        for old, new in self._renamed.items():
            text = re.sub(rf"\b{old}\b", new, text)
        self.texts[name] = text


@functools.cache
def _text(
    module: str, name: str, without: frozenset[str], keep_refusals: bool
) -> tuple[str, tuple[str, ...]]:
    """Return a definition without checks, and the names that it uses."""
    source, node = _module(module), copy.deepcopy(_definition(module, name))
    text = stripped(
        node,
        source.lines,
        checkers=source.checkers,
        without=without,
        keep_refusals=keep_refusals,
    )
    names = (n.id for n in ast.walk(node) if isinstance(n, ast.Name))
    return text, tuple(dict.fromkeys(names))


@functools.cache
def _module(name: str) -> _Module:
    *folders, last = name.split(".")
    path = files("sgdlab").joinpath(*folders[1:], f"{last}.py")
    if not path.is_file():
        raise InputError(f"{name}: this version of sgdlab has no such module")
    text = path.read_text(encoding="utf-8")
    definitions: dict[str, ast.stmt] = {}
    imports: dict[str, Import] = {}
    for node in ast.parse(text).body:
        match node:
            case ast.ClassDef(name=own) | ast.FunctionDef(name=own):
                definitions[own] = node
            case ast.Assign(targets=[ast.Name(id=own)]) | ast.AnnAssign(target=ast.Name(id=own)):
                definitions[own] = node
            case ast.Import(names=[ast.alias(name=module, asname=None)]):
                imports[module.split(".")[0]] = (module, None)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                imports |= {alias.name: (module, alias.name) for alias in aliases}
            case _:
                pass
    checkers = frozenset(own for own, (module, _) in imports.items() if _is_checks(module))
    return _Module(text.splitlines(), definitions, imports, checkers)


def _is_checks(module: str) -> bool:
    return module.startswith("sgdlab.") and module.rsplit(".", 1)[-1] == "checks"
