"""Columns of a table as inputs of a model, by what the training split shows."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sgdlab.datasets.base import Encoded
from sgdlab.datasets.table_columns import Column
from sgdlab.errors import InputError

if TYPE_CHECKING:
    import polars as pl

_EXACT = 2**53
_DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class TableEncoder:
    """Columns that become float64 inputs; all that is estimated comes from the training split.

    - Numbers: as they are; what is missing takes the median, beside an input that is 1 where it
      was missing. Integers beyond 2^53, which float64 would round, as differences from the
      smallest one, taken as integers.
    - Categories: an input each, one for the pair of two; missing is a category of its own. Rare
      ones are pooled, and what the training split lacks falls to them.
    - Dates: elapsed days, year, month, weekday (Monday is 0) and, where there are times, the hour.

    Inputs that are constant in the training split are left out. Nothing is standardised.

    Attributes:
        columns: The columns, all with the same rows.
        max_categories: Inputs of a column of categories, at most; the rarest are pooled.
        min_frequency: Categories with fewer training rows are pooled.
        where: What messages call the table.
    """

    columns: Sequence[Column]
    max_categories: int
    min_frequency: int
    where: str

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.columns[0].values)

    def encode(self, train: np.ndarray) -> Encoded:
        """Return inputs ``[n, d]`` and a line for each column.

        Args:
            train: Row numbers of the training split, int64.

        Raises:
            InputError: All columns are constant in the training split.
        """
        blocks, notes = [], []
        for column in self.columns:
            block, note = self._block(column, train)
            varies = (block[train] != block[train[:1]]).any(axis=0)
            if not varies.any():
                note = f"{note}; left out: constant in the training split"
            blocks.append(block[:, varies])
            seen = f"; {column.note}" if column.note else ""
            notes.append(f"{column.name}: {note}{seen}")
        x = np.hstack(blocks)
        if x.shape[1] == 0:
            raise InputError(f"{self.where}: all inputs are constant in the training split")
        return Encoded(torch.from_numpy(np.ascontiguousarray(x)), notes)

    def _block(self, column: Column, train: np.ndarray) -> tuple[np.ndarray, str]:
        if column.kind == "category":
            return self._categories(column, train)
        return _numbers(column, train) if column.kind == "number" else _dates(column, train)

    def _categories(self, column: Column, train: np.ndarray) -> tuple[np.ndarray, str]:
        from sklearn.preprocessing import OneHotEncoder

        values = np.array(column.values.to_list(), dtype=object)[:, None]
        encoder = OneHotEncoder(
            drop="if_binary",
            handle_unknown="infrequent_if_exist",
            min_frequency=self.min_frequency,
            max_categories=self.max_categories,
            sparse_output=False,
        ).fit(values[train])
        known = encoder.categories_[0]
        with warnings.catch_warnings():  # unknown categories are counted below
            warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)
            block: Any = encoder.transform(values)
        pooled = encoder.infrequent_categories_[0]
        note = f"category of {len(known)}, {_counted(block.shape[1], 'input')}"
        if pooled is not None:
            note += f"; {len(pooled)} rare ones pooled"
        if None in known:
            note += "; missing is one of them"
        unknown = len(values) - int(np.isin(values[:, 0].astype(str), known.astype(str)).sum())
        if unknown:
            place = "with the rare ones" if pooled is not None else "as none of them"
            note += f"; {_counted(unknown, 'row')} with others outside training, {place}"
        return block, note


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _numbers(column: Column, train: np.ndarray) -> tuple[np.ndarray, str]:
    values, origin = as_float(column.values, train)
    note = f"number{f', difference from {origin}' if origin else ''}"
    block, filled = _imputed(values[:, None], train, origin)
    return block, note + filled


def _imputed(values: np.ndarray, train: np.ndarray, origin: int = 0) -> tuple[np.ndarray, str]:
    """Fill what is missing with the training median; an indicator stands last."""
    missing = np.isnan(values).any(axis=1)
    if not missing.any():
        return values, ""
    from sklearn.impute import SimpleImputer

    imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(values[train])
    filled: Any = imputer.transform(values)
    assert imputer.statistics_ is not None
    median = f" {imputer.statistics_[0] + origin:.6g}" if values.shape[1] == 1 else ""
    note = f"; {int(missing.sum())} missing take the median{median} of training, and are marked"
    return np.column_stack([filled, missing.astype(np.float64)]), note


def as_float(values: "pl.Series", train: np.ndarray) -> tuple[np.ndarray, int]:
    """Return numbers as float64, NaN where they are missing, without rounding any integer.

    Args:
        values: Floating, Boolean, or integers of any type.
        train: Rows of the training split.

    Returns:
        The numbers less an origin, and the origin: 0 unless there are integers beyond 2^53, then
        the smallest of the training split. Differences beyond 2^53 are rounded.
    """
    import polars as pl

    origin = 0
    if values.dtype.is_integer():
        low, high = values.min(), values.max()
        assert isinstance(low, int)
        assert isinstance(high, int)
        if max(-low, high) > _EXACT and high - low < 2**126:
            smallest = values.gather(train).min()
            origin = smallest if isinstance(smallest, int) else low
            values = values.cast(pl.Int128) - pl.Series([origin], dtype=pl.Int128)
    return values.cast(pl.Float64).to_numpy().astype(np.float64), origin


def _dates(column: Column, train: np.ndarray) -> tuple[np.ndarray, str]:
    import polars as pl

    dates = column.values
    ticks = dates.cast(pl.Int64)
    first = ticks.gather(train).min()
    origin = first if isinstance(first, int) else ticks.min()
    parts = {
        "days since the first": (ticks - origin) / _DAY,
        "year": dates.dt.year(),
        "month": dates.dt.month(),
        "weekday": dates.dt.weekday() - 1,
    }
    if (ticks.drop_nulls() % _DAY != 0).any():
        parts["hour"] = ticks % _DAY / 3_600_000_000
    values = np.column_stack([part.cast(pl.Float64).to_numpy() for part in parts.values()])
    block, filled = _imputed(values, train)
    return block, f"date, as {', '.join(parts)}{filled}"
