# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Reads tables of others: CSV, Parquet and JSON lines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pandas as pd

from sgdlab.analysis.logs.options import FILE
from sgdlab.checks import pip_install
from sgdlab.errors import InputError, one_line


def read_table(path: Path) -> pd.DataFrame:
    """Return a table, with `FILE` beside its own columns, all named by text.

    An empty cell is missing; ``nan`` and ``inf`` are what a run wrote.

    Raises:
        InputError: It cannot be read; names it, and the line where one is to blame.
    """
    try:
        table = READERS[path.suffix.lower()](path)
    except InputError:
        raise
    except UnicodeDecodeError:
        raise InputError(f"{path}: not text (no UTF-8)") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(
            f"{path}: cannot be read as {path.suffix[1:]}: {one_line(error)}"
        ) from None
    table.columns = [str(column).strip() for column in table.columns]
    if table.columns.has_duplicates:
        double = table.columns[table.columns.duplicated()][0]
        raise InputError(f"{path}: two columns are called {double}")
    return table.assign(**{FILE: str(path)})


def _csv(path: Path) -> pd.DataFrame:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    return pd.read_csv(
        path, sep=separator, keep_default_na=False, na_values=[""], encoding="utf-8-sig"
    )


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError:
        line = f"{path}: Parquet needs pyarrow; {pip_install('parquet')}"
        raise InputError(line) from None


def _json_lines(path: Path) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    content = path.read_text(encoding="utf-8-sig")
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row: object = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(f"{path}, line {number}: not JSON") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: not an object of JSON")
        rows.append(_flat(cast("dict[str, Any]", row)))
    return pd.DataFrame(rows)


def _flat(row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            found |= _flat(cast("dict[str, Any]", value), f"{prefix}{key}.")
        else:
            # A run that wrote NaN is another thing than one that wrote nothing.
            odd = isinstance(value, float) and value != value
            found[f"{prefix}{key}"] = "nan" if odd else value
    return found


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _csv, ".tsv": _csv, ".parquet": _parquet, ".pq": _parquet,
    ".jsonl": _json_lines, ".ndjson": _json_lines, ".json": _json_lines,
}  # fmt: skip
"""The reader of a table by the end of its name."""
