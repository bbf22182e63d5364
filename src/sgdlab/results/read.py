"""Reads the files of a run, a study and a sweep; damage is named by file and line."""

import csv
import io
import os
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sgdlab.errors import InputError
from sgdlab.results.cells import Columns, misread
from sgdlab.results.contract import (
    EVAL_COLUMNS,
    FAILED,
    LABEL_COLUMNS,
    STEP_COLUMNS,
    SUMMARY_COLUMNS,
    TEXT_COLUMNS,
    UNFINISHED,
    Cell,
    after_summary,
    as_meant,
)  # fmt: skip
from sgdlab.results.files import SMALL
from sgdlab.results.find import folders
from sgdlab.results.plain_yaml import read_yaml
from sgdlab.results.settings import OTHER_SETTINGS, typed
from sgdlab.results.tables import read_table, read_tables
from sgdlab.results.texts import table_contents

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = frozenset((*TEXT_COLUMNS, OTHER_SETTINGS))


def read_summary(directory: Path | str) -> dict[str, Cell] | None:
    """Return the summary of a run with typed cells, or None when the run has not ended.

    Raises:
        InputError: The file is damaged; names the file and the line.
    """
    path = os.path.join(directory, "summary.csv")
    try:
        content = table_contents(path, SMALL).decode().replace("\r\n", "\n")
        first, _, rest = content.partition("\n")
        head, lacking = _head(first)
        rows = [head, *csv.reader(io.StringIO(rest))]
    except FileNotFoundError:
        return None
    except csv.Error as error:
        raise InputError(f"{path}: {error}; not a summary of sgdlab") from error
    if len(rows) < 2 or len(rows[1]) != len(head) or not content.endswith("\n"):
        raise InputError(f"{path}, line {len(rows)}: truncated; run it again")
    if lacking is not None:
        raise InputError(f"{path}, line 1: no column {lacking}; not a summary of sgdlab")
    summary: dict[str, Cell] = {}
    for column, cell in zip(head, rows[1], strict=True):
        if column in _TEXTS:
            summary[column] = as_meant(cell) or None
            continue
        summary[column], wrong = _cell(cell)
        if wrong is not None:
            raise InputError(f"{path}, line 2: {column} is {wrong}")
    return summary


@lru_cache(maxsize=2**16)  # most cells are the same in thousands of runs
def _cell(text: str) -> tuple[Cell, str | None]:
    """Return the value of a cell of a summary, and what is wrong with it."""
    value = typed(text)
    if isinstance(value, str):
        return sys.intern(value), None
    return value, misread(text, value) if isinstance(value, int | float) else None


@lru_cache(maxsize=64)
def _head(line: str) -> tuple[list[str], str | None]:
    """Return the columns of a summary, and the first that it lacks."""
    head: list[str] = next(csv.reader([line]), list[str]())
    return head, next((column for column in SUMMARY_COLUMNS if column not in head), None)


def read_steps(directory: Path) -> "pd.DataFrame":
    """Return ``steps.csv`` of a run that has ended.

    Raises:
        InputError: The file is missing or damaged; names the file and the line.
    """
    return read_table(directory / "steps.csv", STEP_COLUMNS)


def read_evals(directory: Path) -> "pd.DataFrame":
    """Return ``evals.csv`` of a run that has ended; the column after ``loss`` is the metric.

    Raises:
        InputError: The file is missing or damaged; names the file and the line.
    """
    return read_table(directory / "evals.csv", EVAL_COLUMNS)


def read_every_steps(
    directories: Sequence[str], partial: Sequence[bool]
) -> Iterator[tuple[int, Columns | InputError]]:
    """Yield the position of each run and its ``steps.csv`` by column, or what is wrong with it."""
    return read_tables([os.path.join(d, "steps.csv") for d in directories], STEP_COLUMNS, partial)


def read_every_evals(
    directories: Sequence[str], partial: Sequence[bool]
) -> Iterator[tuple[int, Columns | InputError]]:
    """Yield the position of each run and its ``evals.csv`` by column, or what is wrong with it."""
    return read_tables([os.path.join(d, "evals.csv") for d in directories], EVAL_COLUMNS, partial)


def collect(roots: Sequence[Path]) -> "tuple[pd.DataFrame, list[str]]":
    """Return one row per run at or below ``roots`` and a line for each file that cannot be read.

    Columns: ``directory``, then those of ``summary.csv``. A run without a summary is a row with
    ``status=unfinished``, one with a damaged summary a row with ``status=failed`` and its reason.
    Cells keep their own types (``dtype=object``), so that a seed stays an integer beside gaps.
    """
    columns, rows, problems = collect_rows(roots)
    return as_table(columns, rows), problems


def collect_rows(
    roots: Sequence[Path],
) -> tuple[list[str], list[dict[str, Cell]], list[str]]:
    """Return what `collect` does as names of columns and a dictionary per row, with all of them."""
    rows: list[dict[str, Cell]] = []
    directories, problems = folders(roots)
    for directory in directories:
        try:
            summary = read_summary(directory) or {"status": UNFINISHED}
        except InputError as error:
            problems.append(str(error))
            summary = {"status": FAILED, "reason": str(error)}
        rows.append({"directory": directory, **summary})
    known = ("directory", *SUMMARY_COLUMNS)
    further = {column for head in {tuple(row) for row in rows} for column in head} - set(known)
    columns = [*known, *sorted(further | set(LABEL_COLUMNS), key=after_summary)]
    for number, row in enumerate(rows):  # in place: of many runs there is memory for one of each
        rows[number] = {column: row.get(column) for column in columns}
    return columns, rows, problems


def as_table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> "pd.DataFrame":
    """Return rows that have all ``columns`` as a table whose cells keep their own types."""
    import pandas as pd  # slow to import, and a run only writes

    cells = np.empty((len(rows), len(columns)), dtype=object)
    for number, column in enumerate(columns):
        cells[:, number] = [row[column] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(columns), dtype=object)


def columns_of(table: "pd.DataFrame") -> dict[str, list[object]]:
    """Return the cells of a table by column, each gap as None."""
    return {
        str(column): cells.astype(object).where(cells.notna(), None).tolist()
        for column, cells in table.items()
    }


def read_study(directory: Path) -> dict[str, Any] | None:
    """Return ``study.yaml`` of a comparison, or None where there is none.

    Raises:
        InputError: It cannot be read; names it and says why.
    """
    path = directory / "study.yaml"
    try:
        found = read_yaml(path)
    except FileNotFoundError:
        return None
    if not isinstance(found, dict | None):
        raise InputError(f"{path}, line 1: not a mapping; not the study.yaml of a comparison")
    return cast("dict[str, Any] | None", found)
