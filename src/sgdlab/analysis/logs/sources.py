# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Finds what lies at or below the paths that were given, and reads each by its kind."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from sgdlab.analysis.logs import events, mlflow_store, text_logs
from sgdlab.analysis.logs.options import FILE, NAME, LogOptions
from sgdlab.analysis.logs.tables import READERS, read_table
from sgdlab.errors import InputError

KINDS = (
    "a CSV, Parquet or JSON-lines table, a TensorBoard event file, an MLflow store, or a text log "
    "with --pattern"
)
"""What can be read."""


def read_sources(paths: Sequence[Path], options: LogOptions) -> pd.DataFrame:
    """Return the rows of everything at or below some paths, with `NAME` and `FILE` of each.

    ``NAME`` is empty where the runs of a table have no name but its columns.

    Raises:
        InputError: Something is missing, of no known kind or damaged; names it.
    """
    found: list[pd.DataFrame] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; give {KINDS}")
        found += list(_read(path, options))
    named = _with_names([table for table in found if len(table)])
    if not named:
        raise InputError(f"{_listed(paths)}: no row in it; give {KINDS}")
    return pd.concat(named, ignore_index=True, sort=False) if len(named) > 1 else named[0]


def _listed(paths: Sequence[Path]) -> str:
    return f"{paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def _read(path: Path, options: LogOptions) -> Iterator[pd.DataFrame]:
    if options.patterns:
        files = [path] if path.is_file() else _below(path)
        yield from (text_logs.read(file, options.patterns) for file in files)
    elif mlflow_store.is_store(path):
        yield mlflow_store.read(path)
    elif path.is_file():
        yield _read_file(path)
    else:
        files = [file for file in _below(path) if _is_known(file)]
        if not files:
            raise InputError(f"{path}: nothing in it can be read; give {KINDS}")
        yield from map(_read_file, files)


def _is_known(file: Path) -> bool:
    return events.is_events(file) or file.suffix.lower() in READERS


def _read_file(file: Path) -> pd.DataFrame:
    if events.is_events(file):
        return events.read(file)
    if file.suffix.lower() not in READERS:
        raise InputError(f"{file}: of no known kind; give {KINDS}")
    return read_table(file)


def _below(folder: Path) -> list[Path]:
    """Return the files below a folder, hidden ones and links to folders aside, by name."""
    found: list[Path] = []
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(base, name) for name in sorted(names) if not name.startswith(".")]
    return found


def _with_names(tables: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Name runs by what their paths do not share; the only table of all needs no name."""
    paths = [Path(str(table[FILE].iloc[0])) for table in tables]
    if len(tables) < 2:
        return [t if NAME in t else t.assign(**{NAME: ""}) for t in tables]
    base = Path(os.path.commonpath([os.path.abspath(path.parent) for path in paths]))
    for number, (table, path) in enumerate(zip(tables, paths, strict=True)):
        if NAME not in table:
            name = Path(os.path.relpath(os.path.abspath(path), base))
            if events.is_events(name):  # their own names are a clock's and a machine's
                name = name.parent
            elif name.suffix.lower() in {*READERS, ".txt", ".log", ".out"}:
                name = name.with_suffix("")
            tables[number] = table.assign(**{NAME: name.as_posix()})
    return tables
