"""The column to predict: its task, where it is certain, and its values for that task."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from sgdlab.datasets.table_columns import Column
from sgdlab.datasets.tasks import Task
from sgdlab.errors import InputError

if TYPE_CHECKING:
    import polars as pl

_FEW = 20
"""Whole numbers of so few different values, each twice on average, may be classes."""
_EXACT = 2**53


class TargetValues(NamedTuple):
    """Targets of a task.

    Attributes:
        y: int64 ``[n]`` of classes; float64 ``[n, outputs]`` of anything else.
        task: The task.
        classes: Names of the classes; None for other tasks.
        note: What a reader should know.
    """

    y: np.ndarray
    task: Task
    classes: list[str] | None = None
    note: str = ""


def target_of(columns: Sequence[Column], task: str | None) -> TargetValues:
    """Return the targets that some columns hold.

    Names are classes, as are truth values and whole numbers of two values. Fractions are
    quantities, as are whole numbers of many values. Anything between is asked for.

    Args:
        columns: The columns, without missing values.
        task: The task; None: what is certain.

    Raises:
        InputError: Nobody could tell the task, or the columns do not fit it.
    """
    for column in columns:
        if column.kind in ("date", "empty"):
            holds = "dates" if column.kind == "date" else "nothing"
            raise InputError(f"dataset.target={column.name}: holds {holds}, no classes or numbers")
        if column.values.n_unique() == 1:
            value = column.values[0]
            raise InputError(f"dataset.target={column.name}: only {value}: nothing to learn")
    if task is None:
        task = _task_of(columns)
    if task == "classification":
        if len(columns) > 1:
            names = ",".join(column.name for column in columns)
            raise InputError(f"dataset.target=[{names}]: classes are one column; task=multilabel")
        return _classes(columns[0])
    of = _labels if task == "multilabel" else _quantities
    y = np.column_stack([of(column) for column in columns])
    return TargetValues(y, cast(Task, task))


def _task_of(columns: Sequence[Column]) -> Task:
    kinds = [_certain(column) for column in columns]
    names = ",".join(column.name for column in columns)
    where = f"dataset.target={f'[{names}]' if len(columns) > 1 else names}"
    if len(columns) > 1 and set(kinds) != {"regression"}:
        raise InputError(f"{where}: several columns: set task=multilabel or regression")
    if None in kinds:
        found = columns[0].values.unique().sort()
        some = ", ".join(f"{value:g}" for value in found[:4]) + (", …" if len(found) > 4 else "")
        raise InputError(
            f"{where}: {len(found)} whole numbers ({some}) may be classes, quantities or counts: "
            "set task=classification, regression or counts"
        )
    return cast(Task, kinds[0])


def _certain(column: Column) -> Task | None:
    values = column.values
    if column.kind == "category" or not values.dtype.is_numeric():
        return "classification"
    whole = values.dtype.is_integer()
    if not whole and bool((values != values.round()).any()):
        return "regression"
    found = values.n_unique()
    if found == 2 and whole:
        return "classification"
    low, high = cast(float, values.min()), cast(float, values.max())
    labels = low in (0, 1) and high - low == found - 1 and 10 * found <= len(values)
    repeated = 2 * found <= len(values)
    return None if (found <= _FEW and repeated) or labels else "regression"


def _classes(column: Column) -> TargetValues:
    import polars as pl

    values = column.values
    if values.dtype.is_float():
        if bool((values != values.round()).any()):
            raise InputError(f"dataset.target={column.name}: holds fractions, and classes are none")
        values = values.cast(pl.Int128)
    labels = values.unique().sort()
    y = _codes(values, labels)
    counts = np.bincount(y)
    alone = [str(label) for label, count in zip(labels, counts, strict=True) if count == 1]
    note = f"one example only of {', '.join(alone[:5])}" if alone else ""
    if len(labels) > 20 and 2 * len(labels) > len(y):
        raise InputError(
            f"dataset.target={column.name}: {len(labels)} classes of {len(y)} rows, hardly two of "
            "a kind: task=regression, or another column"
        )
    return TargetValues(y, "classification", [str(label) for label in labels], note)


def _codes(values: "pl.Series", labels: "pl.Series") -> np.ndarray:
    import polars as pl

    index = pl.Series(range(len(labels)), dtype=pl.Int64)
    return values.replace_strict(labels, index).to_numpy()


def _labels(column: Column) -> np.ndarray:
    target = _classes(column)
    assert target.classes is not None
    if len(target.classes) > 2:
        found = ", ".join(target.classes[:4])
        raise InputError(f"dataset.target={column.name}: a label has two values, found {found}, …")
    return target.y.astype(np.float64)


def _quantities(column: Column) -> np.ndarray:
    values: Any = column.values
    if column.kind != "number":
        raise InputError(
            f'dataset.target={column.name}: holds text ("{values[0]}"), no quantities: '
            "task=classification"
        )
    y = values.cast(float).to_numpy()
    if values.dtype.is_integer() and max(-values.min(), values.max()) > _EXACT:
        raise InputError(
            f"dataset.target={column.name}: whole numbers beyond 2^53 would be rounded: subtract "
            f"a constant, such as {values.min()}"
        )
    return y
