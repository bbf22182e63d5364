"""Tables of results as pandas has them elsewhere: numbers are numbers, gaps are NaN or NA."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgdlab.errors import InputError
from sgdlab.results import UNFINISHED, Columns

_Read = Callable[[Sequence[str], Sequence[bool]], Iterator[tuple[int, Columns | InputError]]]


def typed_frame(cells: pd.DataFrame) -> pd.DataFrame:
    """Return a table of cells with the types of its columns: ``Int64`` beside gaps, else floats.

    Args:
        cells: A table of ``dtype=object``, in which None is a gap.
    """
    made = {str(name): _typed(cells[name]) for name in cells.columns}
    return pd.DataFrame(made, index=cells.index)


def _typed(column: Any) -> Any:
    kinds: set[type] = {type(cell) for cell in column if cell is not None and cell == cell}
    gaps = any(cell is None or cell != cell for cell in column)
    if not kinds or not kinds <= {int, float, np.int64, np.float64}:
        return column
    if kinds <= {int, np.int64}:
        return column.astype("Int64" if gaps else "int64")
    return column.astype("float64")


def joined(runs: pd.DataFrame, read: _Read) -> pd.DataFrame:
    """Return the tables of all runs, one below the other; of a damaged file there is nothing.

    Args:
        runs: The runs, with their ``directory``, ``run_id`` and ``status``.
        read: Reads the tables.
    """
    places = [str(place) for place in runs["directory"].tolist()]
    statuses = runs["status"].tolist()
    ids = runs["run_id"].tolist()
    partial = [status == UNFINISHED for status in statuses]
    found: list[pd.DataFrame] = []
    for position, columns in read(places, partial):
        if isinstance(columns, InputError):
            continue
        table = pd.DataFrame(dict(columns))
        table.insert(0, "run_id", ids[position])
        table.insert(1, "directory", places[position])
        found.append(table)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()
