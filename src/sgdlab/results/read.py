"""Reads the files of a run, a study and a sweep; damage is named by file and line."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from sgdlab.errors import InputError
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
)  # fmt: skip
from sgdlab.results.settings import OTHER_SETTINGS, typed
from sgdlab.results.tables import Columns, read_table, read_tables

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = frozenset((*TEXT_COLUMNS, OTHER_SETTINGS))


def find_runs(roots: Iterable[Path]) -> list[Path]:
    """Return the run directories at or below ``roots``, sorted, each once.

    A run directory holds a ``config.yaml`` beside a ``steps.csv`` or ``summary.csv``.
    """
    return [Path(folder) for folder in _folders(roots)]


def _folders(roots: Iterable[Path]) -> list[str]:
    """Return the run directories in the order of their parts, as paths are sorted."""
    found = {folder.removeprefix("./") for root in roots for folder in _walk(str(root))}
    return sorted(found, key=lambda folder: folder.split(os.sep))


def has_run(root: Path) -> bool:
    """Say whether there is a run directory at or below ``root``."""
    return next(_walk(str(root)), None) is not None


def _walk(root: str) -> Iterator[str]:
    """Yield the run directories below a folder; links to folders are not followed."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        config = ran = False
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.name == "config.yaml":
                        config = entry.is_file()
                    elif entry.name in ("steps.csv", "summary.csv"):
                        ran = ran or entry.is_file()
        except OSError:
            continue
        if config and ran:
            yield folder


def read_summary(directory: Path | str) -> dict[str, Cell] | None:
    """Return the summary of a run with typed cells, or None when the run has not ended.

    Raises:
        InputError: The file is damaged; names the file and the line.
    """
    path = os.path.join(directory, "summary.csv")
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read().decode().replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, line 1: not text; not a summary of sgdlab") from error
    first, _, rest = content.partition("\n")
    head, lacking = _head(first)
    rows = [head, *csv.reader(io.StringIO(rest))]
    if len(rows) < 2 or len(rows[1]) != len(head) or not content.endswith("\n"):
        raise InputError(f"{path}, line {len(rows)}: truncated; run it again")
    if lacking is not None:
        raise InputError(f"{path}, line 1: no column {lacking}; not a summary of sgdlab")
    summary = dict(zip(head, map(typed, rows[1]), strict=True))
    for column, cell in zip(head, rows[1], strict=True):
        if column in _TEXTS:
            summary[column] = cell or None
    return summary


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
    """Return ``evals.csv`` of a run that has ended; its last column is the metric of the task.

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
    problems: list[str] = []
    for directory in _folders(roots):
        try:
            summary = read_summary(directory) or {"status": UNFINISHED}
        except InputError as error:
            problems.append(str(error))
            summary = {"status": FAILED, "reason": str(error)}
        rows.append({"directory": directory, **summary})
    known = ("directory", *SUMMARY_COLUMNS)
    further = {column for head in {tuple(row) for row in rows} for column in head} - set(known)
    columns = [*known, *sorted(further | set(LABEL_COLUMNS), key=after_summary)]
    return columns, [{column: row.get(column) for column in columns} for row in rows], problems


def as_table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> "pd.DataFrame":
    """Return rows that have all ``columns`` as a table whose cells keep their own types."""
    import pandas as pd  # slow to import, and a run only writes

    cells = np.empty((len(rows), len(columns)), dtype=object)
    for number, column in enumerate(columns):
        cells[:, number] = [row[column] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(columns), dtype=object)


def read_study(directory: Path) -> dict[str, Any] | None:
    """Return ``study.yaml`` of a comparison, or None where there is none."""
    path = directory / "study.yaml"
    return yaml.safe_load(path.read_text()) if path.is_file() else None
