"""Reads the files of a run, a study and a sweep; damage is named by file and line."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd
import yaml

from sgdlab.errors import InputError
from sgdlab.results.contract import (
    EVAL_COLUMNS,
    FAILED,
    STEP_COLUMNS,
    SUMMARY_COLUMNS,
    TEXT_COLUMNS,
    UNFINISHED,
    Cell,
    after_summary,
)  # fmt: skip


def find_runs(roots: Iterable[Path]) -> list[Path]:
    """Return the run directories at or below ``roots``, sorted, each once.

    A run directory holds a ``config.yaml`` beside a ``steps.csv`` or ``summary.csv``.
    """
    found: set[Path] = set()
    for root in roots:
        for config in root.rglob("config.yaml"):
            folder = config.parent
            if (folder / "steps.csv").is_file() or (folder / "summary.csv").is_file():
                found.add(folder)
    return sorted(found)


def read_summary(directory: Path) -> dict[str, Cell] | None:
    """Return the summary of a run with typed cells, or None when the run has not ended.

    Raises:
        InputError: The file is damaged; names the file and the line.
    """
    path = directory / "summary.csv"
    if not path.is_file():
        return None
    content = path.read_text()
    rows = list(csv.reader(io.StringIO(content)))
    if len(rows) < 2 or len(rows[1]) != len(rows[0]) or not content.endswith("\n"):
        raise InputError(f"{path}, line {max(len(rows), 1)}: truncated; run it again")
    if missing := [column for column in SUMMARY_COLUMNS if column not in rows[0]]:
        raise InputError(f"{path}, line 1: no column {missing[0]}; not a summary of sgdlab")
    cells = zip(rows[0], rows[1], strict=True)
    return {
        column: (cell or None) if column in TEXT_COLUMNS else _cell(cell) for column, cell in cells
    }


def _cell(cell: str) -> Cell:
    if cell == "":
        return None
    if cell in ("true", "false"):
        return cell == "true"
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def read_config(directory: Path) -> dict[str, Any]:
    """Return ``config.yaml`` of a run as plain values, without Hydra.

    Raises:
        InputError: The file is missing or damaged; names the file and the line.
    """
    path = directory / "config.yaml"
    if not path.is_file():
        raise InputError(f"{path}: missing")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(path.read_text(), Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{where}: not valid YAML") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}, line 1: not a mapping; not a config of sgdlab")
    return cast("dict[str, Any]", content)


def read_steps(directory: Path, partial: bool = False) -> pd.DataFrame:
    """Return ``steps.csv`` of a run.

    Args:
        directory: The run directory.
        partial: The run has not ended: a last line without its end is still being written.

    Raises:
        InputError: The file is missing or damaged; names the file and the line.
    """
    return _read_table(directory / "steps.csv", STEP_COLUMNS, partial)


def read_evals(directory: Path, partial: bool = False) -> pd.DataFrame:
    """Return ``evals.csv`` of a run; its last column is the metric of the task.

    Args:
        directory: The run directory.
        partial: The run has not ended: a last line without its end is still being written.

    Raises:
        InputError: The file is missing or damaged; names the file and the line.
    """
    return _read_table(directory / "evals.csv", EVAL_COLUMNS, partial)


def _read_table(path: Path, columns: Sequence[str], partial: bool) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path}: missing")
    content = path.read_bytes()
    if partial:
        content = content[: content.rfind(b"\n") + 1]
    lines = content.split(b"\n")
    header = lines[0].decode(errors="replace").split(",")
    if header[: len(columns)] != list(columns):
        raise InputError(f"{path}, line 1: expected the columns {','.join(columns)}")
    # pandas pads short rows without a word, so damage is looked for before parsing.
    commas = len(header) - 1
    for number, line in enumerate(lines[:-1], start=1):
        if line.count(b",") != commas:
            raise InputError(f"{path}, line {number}: truncated ({len(header)} cells expected)")
    if lines[-1]:
        raise InputError(f"{path}, line {len(lines)}: truncated (no line end)")
    # Exact floats: an option of old, the only way of new pandas (which warns of the option).
    old = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
    exact: dict[str, Any] = {"float_precision": "round_trip"} if old else {}
    table = cast(pd.DataFrame, pd.read_csv(io.BytesIO(content), **exact))
    for column in table.columns.difference(["weights", "split"]):
        numbers = pd.to_numeric(table[column], errors="coerce")
        bad = numbers.isna() & table[column].notna()
        if bad.any():
            line = int(bad.to_numpy().argmax()) + 2
            raise InputError(f"{path}, line {line}: {column} is not a number")
        table[column] = numbers
    return table


def collect(roots: Sequence[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Return one row per run at or below ``roots`` and a line for each file that cannot be read.

    Columns: ``directory``, then those of ``summary.csv``. A run without a summary is a row with
    ``status=unfinished``, one with a damaged summary a row with ``status=failed`` and its reason.
    Cells keep their own types (``dtype=object``), so that a seed stays an integer beside gaps.
    """
    rows: list[dict[str, Cell]] = []
    problems: list[str] = []
    for directory in find_runs(roots):
        try:
            summary = read_summary(directory) or {"status": UNFINISHED}
        except InputError as error:
            problems.append(str(error))
            summary = {"status": FAILED, "reason": str(error)}
        rows.append({"directory": str(directory), **summary})
    table = pd.DataFrame(rows, dtype=object)
    settings = sorted(set(table.columns) - {"directory", *SUMMARY_COLUMNS}, key=after_summary)
    return table.reindex(columns=["directory", *SUMMARY_COLUMNS, *settings]), problems


def read_study(directory: Path) -> dict[str, Any] | None:
    """Return ``study.yaml`` of a comparison, or None where there is none."""
    path = directory / "study.yaml"
    return yaml.safe_load(path.read_text()) if path.is_file() else None
