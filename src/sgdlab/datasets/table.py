"""A table of your own: a CSV or Parquet file with a row per example."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdlab.checks import require_one_of, require_whole
from sgdlab.datasets.base import Examples
from sgdlab.datasets.table_columns import CellFormat, Column, column_of
from sgdlab.datasets.table_encoder import TableEncoder, as_float
from sgdlab.datasets.table_file import read_cells
from sgdlab.datasets.table_selection import doubtful, select
from sgdlab.datasets.table_settings import character, column
from sgdlab.datasets.table_target import target_of
from sgdlab.errors import InputError

if TYPE_CHECKING:
    import polars as pl


def table(
    *,
    path: str,
    target: str | Sequence[str],
    drop: Sequence[str],
    group: str | None,
    time: str | None,
    weight: str | None,
    categories: Sequence[str],
    dates: Mapping[str, str] | None,
    missing: Sequence[str],
    separator: str | None,
    decimal: str,
    thousands: str | None,
    encoding: str,
    header: str,
    max_categories: int,
    min_frequency: int,
    task: str | None = None,
) -> Examples:
    """Read a table: numbers, categories, dates and what is missing become inputs.

    What a column holds is taken from all of its values where that is certain, and asked for in a
    line where it is not. Columns that tell nothing are left out: empty and constant ones, text
    that is different in every row, numbers of rows under a name such as id. What was done with
    each column stands in ``environment.json``; what is estimated (medians, categories) comes from
    the training split alone: `sgdlab.datasets.table_encoder.TableEncoder`.

    Args:
        path: The file: CSV with any separator, also ``.gz``, or Parquet.
        target: The column to predict, or a list of them. Rows without it are left out.
        drop: Columns that are not inputs.
        group: A column whose rows of one value are never in two splits; not an input.
        time: A column, numbers or dates, that orders the rows; an input, too, unless in ``drop``.
        weight: A column of what each row counts in the loss; not an input.
        categories: Columns of numbers that are names, such as codes.
        dates: Columns of dates with their form, ``{day: "%d/%m/%Y"}``; null: none.
        missing: What stands for a missing value, beside ``NA``, ``NaN``, ``null`` and their kin.
        separator: What stands between columns: comma, semicolon, tab, pipe or any character;
            null: found in the file.
        decimal: What stands before decimals: point or comma.
        thousands: What stands between groups of three digits.
        encoding: Of a text file.
        header: Whether the first line has the names of the columns: yes, no; auto asks where it
            holds only numbers.
        max_categories: Inputs that a column of categories becomes, at most; the rarest are pooled.
        min_frequency: Categories with fewer rows in training are pooled.
        task: What the target is; None: where it leaves no doubt.

    Raises:
        InputError: A file or a column that is not there, or something that nobody could tell.
    """
    require_one_of("dataset.header", header, ("auto", "yes", "no"))
    require_whole("dataset.max_categories", max_categories, 2)
    require_whole("dataset.min_frequency", min_frequency)
    reading = _reading(decimal, thousands, missing, categories, dates)
    cells = read_cells(path, character("dataset.separator", separator), encoding, header)
    names = cells.columns
    targets = [column(names, name, "target") for name in _several(target)]
    if not targets or len(set(targets)) < len(targets):
        raise InputError(f"dataset.target={target}: must be a column, or a list of different ones")
    roles = {key: name for key, name in (("group", group), ("time", time), ("weight", weight))
             if name is not None}  # fmt: skip
    roles = {key: column(names, name, key) for key, name in roles.items()}
    dropped = {column(names, name, "drop") for name in _several(drop)}
    for key, listed in (("categories", reading.categories), ("dates", reading.dates)):
        for name in listed:
            column(names, name, key)

    everything, cells = cells, _with_targets(cells, targets, reading)
    goals = [_understood(cells[name], reading) for name in targets]
    goal = target_of(goals, task)
    not_inputs = {*targets, *dropped, *(roles[k] for k in ("group", "weight") if k in roles)}
    inputs, useless = select(everything, cells, [n for n in names if n not in not_inputs], reading)
    lines = [f"{name or '(no name)'}: left out, {reason}" for name, reason in useless.items()]
    if not inputs:
        raise InputError(
            f"dataset.path={path}: no inputs to learn from{''.join(f'; {each}' for each in lines)}"
        )
    lost = everything.height - cells.height
    said = [
        f"{Path(path).name}: {cells.height} rows"
        f"{f' ({lost} without a target left out)' if lost else ''}",
        f"{', '.join(targets)}: {goal.task}{f' of {len(goal.classes)}' if goal.classes else ''}",
        _summary(inputs),
        *([f"left out: {_few(useless)}"] if useless else []),
        *([goal.note] if goal.note else []),
        *doubtful(inputs, goals[0] if len(goals) == 1 else None, goal.task, max_categories),
    ]
    return Examples(
        x=TableEncoder(inputs, max_categories, min_frequency, f"dataset.path={path}"),
        y=goal.y,
        task=goal.task,
        group=_group(cells, roles.get("group"), reading),
        time=_time(cells, roles.get("time"), reading),
        weight=_weight(cells, roles.get("weight"), reading),
        classes=goal.classes,
        notes=["; ".join(said), *lines],
    )


def _several(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str | int | float) else [str(name) for name in names]


def _reading(
    decimal: str,
    thousands: str | None,
    missing: Sequence[str],
    categories: Sequence[str],
    dates: Mapping[str, str] | None,
) -> CellFormat:
    point = character("dataset.decimal", decimal)
    groups = character("dataset.thousands", thousands)
    if point is None or point == groups:
        raise InputError(f"dataset.decimal={decimal}: must be a character besides the thousands'")
    forms = {str(name): str(form) for name, form in (dates or {}).items()}
    return CellFormat(point, groups, _several(missing), _several(categories), forms)


def _understood(cells: "pl.Series", reading: CellFormat) -> Column:
    try:
        return column_of(cells, reading)
    except InputError as error:
        raise InputError(f"column {error}") from error


def _with_targets(cells: "pl.DataFrame", targets: list[str], reading: CellFormat) -> "pl.DataFrame":
    """Return the rows in which no target is missing."""
    there = [_understood(cells[name], reading).values.is_not_null() for name in targets]
    rows = reduce(lambda a, b: a & b, there)
    if not rows.any():
        raise InputError(f"dataset.target={', '.join(targets)}: is missing in every row")
    return cells.filter(rows)


def _summary(inputs: Sequence[Column]) -> str:
    kinds = [column.kind for column in inputs]
    plural = {"number": "numbers", "category": "categories", "date": "dates"}
    return ", ".join(
        f"{kinds.count(kind)} {kind if kinds.count(kind) == 1 else words}"
        for kind, words in plural.items()
        if kind in kinds
    )


def _few(names: Iterable[str]) -> str:
    shown = [name or "(no name)" for name in names]
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")


def _complete(cells: "pl.Series", key: str) -> None:
    if cells.null_count():
        row = int(cells.is_null().arg_true()[0]) + 1
        raise InputError(f"dataset.{key}={cells.name}: is missing in row {row}")


def _group(cells: "pl.DataFrame", name: str | None, reading: CellFormat) -> list[str] | None:
    if name is None:
        return None
    values = _understood(cells[name], reading).values
    _complete(values, "group")
    return [str(value) for value in values]


def _time(cells: "pl.DataFrame", name: str | None, reading: CellFormat) -> np.ndarray | None:
    if name is None:
        return None
    import polars as pl

    found = _understood(cells[name], reading)
    if found.kind not in ("number", "date"):
        raise InputError(f"dataset.time={name}: holds neither numbers nor dates")
    _complete(found.values, "time")
    ticks = found.values.cast(pl.Int64) if found.kind == "date" else found.values
    return (
        as_float(ticks, np.arange(len(ticks)))[0] if ticks.dtype == pl.Int128 else ticks.to_numpy()
    )


def _weight(cells: "pl.DataFrame", name: str | None, reading: CellFormat) -> np.ndarray | None:
    if name is None:
        return None
    found = _understood(cells[name], reading)
    if found.kind != "number":
        raise InputError(f"dataset.weight={name}: holds no numbers")
    _complete(found.values, "weight")
    values: Any = found.values.cast(float).to_numpy()
    if (values < 0).any() or not (values > 0).any():
        raise InputError(f"dataset.weight={name}: must be numbers from 0, not all 0")
    return values
