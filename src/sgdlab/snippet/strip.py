"""Takes out of a definition what only sgdlab needs: checks of settings, long docstrings.

A setting in a finished run's config was checked when the run was built; checking it again would
double the text of every rule, and needs sgdlab's own helpers.
"""

import ast
import itertools
import re
from collections.abc import Collection, Iterator, Sequence

# Class attributes that only sgdlab reads.
_FLAGS = ("decay_modes",)
_TOOLS = re.compile(r"\s*# (?:type: ignore|pyright: ignore|noqa|fmt:).*$")
_HEAD = re.compile(r"\s*(?:class |def |if |for |else|\) ->).*:$")
_REFUSAL = "InputError"


def stripped(
    node: ast.stmt,
    lines: Sequence[str],
    *,
    checkers: Collection[str],
    without: Collection[str] = (),
    keep_refusals: bool = False,
) -> str:
    """Return the source of a definition without checks; ``node`` loses the same parts.

    Taken out are calls of ``checkers``, ``raise InputError``, and blocks that hold nothing
    else; values that were computed for those alone; class attributes that only sgdlab
    reads; and all but the first paragraphs of docstrings. Comments go with the line below them.

    Args:
        node: A statement at the top of a module, changed in place: what it refers to afterwards
            is what the text refers to.
        lines: The lines of the module's source.
        checkers: The names of functions that only refuse settings.
        without: The names of methods to leave out.
        keep_refusals: Keep what raises ``InputError``, and take out the calls only.
    """
    cutter = _Cutter(checkers, without, keep_refusals)
    cutter.cut(node)
    gone = {number for cut in cutter.removed for number in _lines_of(cut, lines)}
    docs = {doc.lineno: (doc, count) for doc, count in cutter.docs}
    for doc, _ in cutter.docs:
        gone |= set(range(doc.lineno, _end(doc) + 1))
    kept: list[str] = []
    for number in range(_first(node), _end(node) + 1):
        if number in docs:
            kept += _shortened(*docs[number])
        elif number not in gone:
            kept.append(_TOOLS.sub("", lines[number - 1]))
    return "\n".join(_spaced(kept))


class _Cutter:
    """Removes statements from a tree and remembers them."""

    def __init__(
        self, checkers: Collection[str], without: Collection[str], keep_refusals: bool
    ) -> None:
        self._checkers = checkers
        self._without = without
        self._keep_refusals = keep_refusals
        self.removed: list[ast.stmt] = []
        self.docs: list[tuple[ast.Expr, int]] = []

    def cut(self, node: ast.stmt) -> None:
        """Remove what is to go from ``node`` and all within it."""
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            self._note_docstring(node)
        count = len(self.removed)
        for block in _blocks(node):
            self._remove(block, [s for s in block if self._goes(s)])
            for statement in block:
                self.cut(statement)
        if isinstance(node, ast.FunctionDef) and len(self.removed) > count:
            self._remove_dead_stores(node)
        if isinstance(node, ast.ClassDef):
            empty = [s for s in node.body if _does_nothing(s)]
            self._remove(node.body, empty)

    def _remove(self, block: list[ast.stmt], statements: list[ast.stmt]) -> None:
        self.removed += statements
        block[:] = [s for s in block if s not in statements]

    def _note_docstring(self, node: ast.ClassDef | ast.FunctionDef) -> None:
        first = node.body[0]
        if ast.get_docstring(node) is not None and isinstance(first, ast.Expr):
            self.docs.append((first, 2 if isinstance(node, ast.ClassDef) else 1))

    def _goes(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.FunctionDef):
            return statement.name in self._without
        if isinstance(statement, ast.AnnAssign):
            return isinstance(statement.target, ast.Name) and statement.target.id in _FLAGS
        return self._checks(statement)

    def _checks(self, statement: ast.stmt) -> bool:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
                return name in self._checkers
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name))):
                return name == _REFUSAL and not self._keep_refusals
            case ast.If(body=body, orelse=[]) | ast.For(body=body, orelse=[]):
                checks = [self._checks(s) for s in body]
                return any(checks) and all(map(_or_stores, body, checks))
        return False

    def _remove_dead_stores(self, function: ast.FunctionDef) -> None:
        """Remove assignments to local names that nothing reads any more."""
        while True:
            dead = [s for s in function.body if _is_dead(s, function)]
            if not dead:
                return
            self._remove(function.body, dead)


def _or_stores(statement: ast.stmt, checks: bool) -> bool:
    """Say whether a statement of a block checks, or names what the others check or say."""
    return checks or (
        isinstance(statement, ast.Assign)
        and all(isinstance(target, ast.Name) for target in statement.targets)
    )


def _is_dead(statement: ast.stmt, function: ast.FunctionDef) -> bool:
    if not isinstance(statement, ast.Assign):
        return False
    parts = [part for target in statement.targets for part in _parts(target)]
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    if len(names) < len(parts):
        return False
    read = itertools.chain.from_iterable(
        ast.walk(other) for other in function.body if not _assigns_only(other, names)
    )
    return not any(
        isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in names for n in read
    )


def _assigns_only(statement: ast.stmt, names: set[str]) -> bool:
    if not isinstance(statement, ast.Assign):
        return False
    parts = [part for target in statement.targets for part in _parts(target)]
    return all(isinstance(part, ast.Name) and part.id in names for part in parts)


def _parts(target: ast.expr) -> list[ast.expr]:
    return target.elts if isinstance(target, ast.Tuple) else [target]


def _does_nothing(statement: ast.stmt) -> bool:
    """Say whether a statement is a ``__post_init__`` that at most calls that of its base."""
    if not isinstance(statement, ast.FunctionDef) or statement.name != "__post_init__":
        return False
    return all(ast.unparse(s) == "super().__post_init__()" for s in statement.body)


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def _end(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno


def _first(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def _lines_of(node: ast.stmt, lines: Sequence[str]) -> range:
    """Return the lines of a statement and of the comments directly above it."""
    first = _first(node)
    while lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return range(first, _end(node) + 1)


def _shortened(doc: ast.Expr, count: int) -> list[str]:
    """Return a docstring's first ``count`` paragraphs, and the block that the last announces."""
    paragraphs = re.split(r"\n\s*\n", str(getattr(doc.value, "value", "")).strip())
    chosen = paragraphs[:count]
    if chosen[-1].endswith("::"):
        chosen += paragraphs[count : count + 1]
    if len(chosen) > 1 and re.match(r"\s*(?:Args|Attributes|Returns|Raises|Source):", chosen[1]):
        chosen = chosen[:1]
    # Names in full belong to sgdlab's own documentation.
    text = re.sub(r"`sgdlab\.[\w.]*?(\w+)`", r"`\1`", "\n\n".join(chosen))
    indent = " " * doc.col_offset
    end = f"\n{indent}" if "\n" in text else ""
    return f'{indent}"""{text}{end}"""'.split("\n")


def _spaced(lines: list[str]) -> list[str]:
    """Return lines with single blank ones only, and none at the start of a block or the end."""
    kept: list[str] = []
    for line in lines:
        above = kept[-1] if kept else ""
        if not line.strip() and (not above.strip() or _HEAD.match(above)):
            continue
        kept.append(line)
    while not kept[-1].strip():
        kept.pop()
    return kept
