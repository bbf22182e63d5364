"""Which columns of a table are inputs: those that can tell something about another row."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sgdlab.datasets.table_columns import CellFormat, Column, column_of
from sgdlab.datasets.table_dates import parsed
from sgdlab.datasets.table_settings import typed
from sgdlab.errors import InputError

if TYPE_CHECKING:
    import polars as pl

_NUMBERS_ROWS = re.compile(
    r"^$|^unnamed(:.*)?$|^__index_level_\d+__$"
    r"|^(.*[\W_])?(id|uuid|guid|idx|index|obs|rowid|row_?names?|row_?(no|nr|num|number)?|serial)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"[a-z](Id|ID|Idx|Index)$")
_SHOWN = 3


def select(
    everything: "pl.DataFrame", cells: "pl.DataFrame", names: Sequence[str], reading: CellFormat
) -> tuple[list[Column], dict[str, str]]:
    """Return the columns that become inputs, and why each of the others is left out.

    Left out is what cannot tell: columns that are empty or constant, text that is different in
    every row, and whole numbers that count the rows of the file under a name such as ``id``, or
    none.

    Args:
        everything: All rows of the file.
        cells: The rows that have a target.
        names: The columns to choose from.
        reading: How cells are read.

    Raises:
        InputError: Columns that nobody could read; says what to set for each.
    """
    found, unclear = [], []
    for name in names:
        try:
            found.append(column_of(cells[name], reading))
        except InputError as error:
            unclear.append(str(error))
    if unclear:
        more = f"; and {len(unclear) - _SHOWN} more columns" if len(unclear) > _SHOWN else ""
        raise InputError(f"column {'; column '.join(unclear[:_SHOWN])}{more}")
    reasons = {column.name: _useless(column, everything, reading) for column in found}
    kept = [column for column in found if not reasons[column.name]]
    return kept, {name: reason for name, reason in reasons.items() if reason}


def _useless(column: Column, everything: "pl.DataFrame", reading: CellFormat) -> str:
    values = column.values
    if column.kind == "empty":
        return "empty"
    present = values.drop_nulls()
    if not values.null_count() and present.n_unique() == 1:
        return "constant"
    if column.kind == "category" and values.n_unique() == len(values) > 1:
        return "text that is different in every row"
    if _counts_rows(column, everything, reading):
        return "number of the row"
    return ""


def _counts_rows(column: Column, everything: "pl.DataFrame", reading: CellFormat) -> bool:
    if not _is_called_id(column) or not _is_different_everywhere(column):
        return False
    whole = column_of(everything[column.name], reading).values
    return not whole.null_count() and bool((whole.diff().drop_nulls() == 1).all())


def _is_called_id(column: Column) -> bool:
    return bool(_NUMBERS_ROWS.match(column.name) or _CAMEL.search(column.name))


def _is_different_everywhere(column: Column) -> bool:
    values = column.values
    if column.kind != "number" or not values.dtype.is_integer() or values.null_count():
        return False
    return len(values) > 2 and values.n_unique() == len(values)


def _reads_as_dates(column: Column) -> bool:
    values = column.values
    if column.kind != "number" or not values.dtype.is_integer():
        return False
    low, high = values.min(), values.max()
    if not (isinstance(low, int) and isinstance(high, int) and low >= 19000101 <= high < 21000101):
        return False
    return parsed(values.cast(str), "%Y%m%d").null_count() == values.null_count()


def doubtful(
    inputs: Sequence[Column], target: Column | None, task: str, max_categories: int
) -> list[str]:
    """Return a line for each kind of inputs that are probably not meant as they are.

    Dates may be whole numbers such as 20200131. An id may be whole numbers that are different in
    every row and increase, or are called so. The target itself may be, of classes, a column whose
    values and the classes determine each other; of quantities, a column that is a linear function
    of them to the last digits. Text of more categories than become inputs may be free text.
    """
    lines = []
    days = [column.name for column in inputs if _reads_as_dates(column)]
    if days:
        forms = typed("dates", dict.fromkeys(days, "%Y%m%d"))
        lines.append(f"{', '.join(days)} may hold dates: {forms}")
    ids = [
        column.name for column in inputs
        if _is_different_everywhere(column)
        and column.name not in days
        and (_is_called_id(column) or column.values.is_sorted())
    ]  # fmt: skip
    if ids:
        lines.append(f"{', '.join(ids)} may be an id: {typed('drop', ids)}")
    many = [
        column.name
        for column in inputs
        if column.kind == "category" and column.values.n_unique() > max_categories
    ]
    if many:
        lines.append(f"{', '.join(many)}: over {max_categories} categories, the rarest are pooled")
    if target is not None:
        same = _renamed if task == "classification" else _is_proportional
        twins = [column.name for column in inputs if same(column, target)]
        if twins:
            names = ", ".join(twins)
            lines.append(f"{names} tells {target.name} exactly, a leak? {typed('drop', twins)}")
    return lines


def _renamed(column: Column, target: Column) -> bool:
    import polars as pl

    if column.values.null_count():
        return False
    count = target.values.n_unique()
    if column.values.n_unique() != count:
        return False
    pairs = pl.DataFrame({"column": column.values, "target": target.values})
    return pairs.n_unique() == count


def _is_proportional(column: Column, target: Column) -> bool:
    if column.kind != "number" or target.kind != "number" or column.values.null_count():
        return False
    x, y = (each.values.cast(float).to_numpy() for each in (column, target))
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt((x @ x) * (y @ y))
    return bool(size > 0 and abs(abs(x @ y) / size - 1) < 1e-12)
