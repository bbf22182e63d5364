"""The arithmetic of a lesson: numbers and conditions computed from the columns of its runs."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sgdlab.errors import InputError, suggest
from sgdlab.lessons.runs import LessonRun

Value = float | str | bool


def _there(column: Any) -> np.ndarray:
    if not isinstance(column, np.ndarray):
        raise TypeError(f"needs a column such as RUN.loss, got {column!r}")
    found = column[~np.isnan(column)]
    if not len(found):
        raise TypeError("the column is empty")
    return found


def _reach(column: Any, level: Any) -> float:
    below = np.flatnonzero(column <= level)
    return float(below[0] + 1) if len(below) else math.inf


def _lowest(column: Any) -> float:
    _there(column)
    return float(np.nanargmin(column) + 1)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "first": lambda column: float(_there(column)[0]),
    "last": lambda column: float(_there(column)[-1]),
    "mean": lambda column: float(_there(column).mean()),
    "end": lambda column, count: float(_there(column)[-int(count) :].mean()),
    "smallest": lambda column: float(_there(column).min()),
    "largest": lambda column: float(_there(column).max()),
    "lowest": _lowest,
    "reach": _reach,
    "spread": lambda column: float(_there(column).std() / _there(column).mean()),
    "share": lambda column, level: float((_there(column) > level).mean()),
    "turns": lambda column: float(np.count_nonzero(np.diff(np.sign(_there(column))))),
    "magnitude": lambda column: np.abs(column),
    "min": min,
    "max": max,
    "abs": abs,
    "sqrt": math.sqrt,
    "log10": math.log10,
}
"""Of a column, empty cells left out: ``first``, ``last``, ``mean``, ``smallest``, ``largest``;
``end(column, n)``, the mean of the last n; ``spread``, standard deviation over mean;
``share(column, level)``, of the values above; ``turns``, changes of sign; ``magnitude``, a column.
Rows, from 1: ``lowest``, of the smallest value; ``reach(column, level)``, the first at or below a
level, infinite where there is none."""

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def names_in(text: object, place: str) -> list[str]:
    """Return the names of runs and values that an expression uses, each once.

    Args:
        text: The expression, such as ``last(slow.loss) / last(fast.loss)``.
        place: The key that a complaint names.

    Raises:
        InputError: It cannot be read, or calls what is not in `FUNCTIONS`.
    """
    tree = _parsed(text, place)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) in called:
            if node.id not in FUNCTIONS:
                nearest = suggest(node.id, FUNCTIONS)
                raise InputError(f"{place}: {text}: no function {node.id}; {nearest}")
        elif isinstance(node, ast.Name):
            names[node.id] = None
    return list(names)


def _parsed(text: object, place: str) -> ast.expr:
    try:
        return ast.parse(str(text).strip(), mode="eval").body
    except SyntaxError as error:
        raise InputError(
            f"{place}: {text}: cannot be read; right is last(RUN.loss) or slow > 2 * fast"
        ) from error


def evaluate(text: object, names: Mapping[str, Any], place: str) -> Value:
    """Return what an expression gives.

    Args:
        text: Arithmetic, comparisons, ``and``, ``or``, `FUNCTIONS`; ``RUN.loss`` is a column of
            ``steps.csv``, ``RUN["w.0"]`` the same for any name, ``RUN.train.loss`` and
            ``RUN.val.accuracy`` are columns of ``evals.csv``, ``RUN.summary.status`` is a cell of
            ``summary.csv``.
        names: Runs and values that were computed before, by name.
        place: The key that a complaint names.

    Raises:
        InputError: It cannot be read, or asks for what is not there.
    """
    try:
        value = _value(_parsed(text, place), names)
    except ZeroDivisionError:
        return math.inf
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        why = error.args[0] if error.args else type(error).__name__
        raise InputError(f"{place}: {text}: {why}") from error
    if isinstance(value, LessonRun | Mapping | np.ndarray):
        raise InputError(f"{place}: {text}: is not a number; right is last(RUN.loss)")
    return value


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value
        case ast.Name(id=name):
            if name not in names:
                raise KeyError(f"no run or value {name}; {suggest(name, names)}")
            return names[name]
        case ast.Attribute(value=inner, attr=key):
            return _member(_value(inner, names), key)
        case ast.Subscript(value=inner, slice=ast.Constant(value=str() as key)):
            return _member(_value(inner, names), key)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(argument, names) for argument in arguments))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, names), _value(right, names))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(operand, names))
        case ast.BoolOp(op=op, values=parts):
            wanted = all if isinstance(op, ast.And) else any
            return wanted(_value(part, names) for part in parts)
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [_value(part, names) for part in (left, *others)]
            pairs = zip(ops, values, values[1:], strict=False)
            return all(_OPERATORS[type(op)](one, other) for op, one, other in pairs)
        case _:
            raise TypeError(f"cannot use {ast.unparse(node)}")


def _member(holder: Any, key: str) -> Any:
    if not isinstance(holder, LessonRun | Mapping):
        raise TypeError(f"{holder!r} has no {key}")
    found = holder[key]
    return math.nan if found is None else found  # an empty cell of a summary
