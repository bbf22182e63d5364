"""Writes the files of a run, a study and a sweep."""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from sgdlab.results.config_text import config_text
from sgdlab.results.contract import (
    EVAL_COLUMNS,
    STEP_COLUMNS,
    SUMMARY_COLUMNS,
    Cell,
    after_summary,
    text,
)

if TYPE_CHECKING:
    import pandas as pd


class RunWriter:
    """Writes the tables of one run; the arguments are those of `start_tables`."""

    def __init__(
        self,
        directory: Path,
        metric: str,
        step_columns: Sequence[str] = (),
        append_after: int | None = None,
    ) -> None:
        tables = start_tables(directory, metric, step_columns, append_after)
        self._steps, self._evals = (table.open("a", newline="") for table in tables)

    def steps(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Append rows to ``steps.csv``; each has the cells of its columns, in order."""
        self._steps.write("".join(f"{','.join(map(text, row))}\n" for row in rows))

    def evaluation(self, row: Sequence[Cell]) -> None:
        """Append a row to ``evals.csv`` and make all rows so far visible to other processes."""
        self._evals.write(f"{','.join(map(text, row))}\n")
        self._evals.flush()
        self._steps.flush()

    def flush(self) -> None:
        """Put all rows so far on disk: a checkpoint must never be ahead of its rows."""
        for table in (self._steps, self._evals):
            table.flush()
            os.fsync(table.fileno())

    def close(self) -> None:
        """Close both tables; a run without a summary counts as unfinished."""
        self._steps.close()
        self._evals.close()


def write_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Write the resolved config; it opens with the defaults that restore Hydra's settings."""
    head = {"defaults": ["train_schema", "app", "_self_"]}
    atomic_write(directory / "config.yaml", config_text({**head, **config}), durable=False)


def write_study(directory: Path, protocol: Mapping[str, Any]) -> None:
    """Write ``study.yaml`` of a comparison: protocol, search bounds and budget."""
    content = yaml.safe_dump(dict(protocol), sort_keys=False, allow_unicode=True)
    atomic_write(directory / "study.yaml", content)


def write_environment(directory: Path, environment: Mapping[str, Any]) -> None:
    """Write ``environment.json``."""
    content = json.dumps(environment, indent=2) + "\n"
    atomic_write(directory / "environment.json", content, durable=False)


def write_error(directory: Path, traceback: str) -> None:
    """Write the traceback of a failed run to ``error.txt``."""
    atomic_write(directory / "error.txt", traceback)


def start_tables(
    directory: Path, metric: str, step_columns: Sequence[str], append_after: int | None
) -> tuple[Path, Path]:
    """Begin ``steps.csv`` and ``evals.csv`` of a run, and return where they are.

    Args:
        directory: The run directory, which is made when missing.
        metric: The name of the metric column of ``evals.csv``.
        step_columns: The columns that diagnostics add to ``steps.csv``.
        append_after: When a run goes on from a checkpoint, its step: later rows are cut off.
    """
    for old in ("summary.csv", "error.txt"):
        (directory / old).unlink(missing_ok=True)
    steps, evals = directory / "steps.csv", directory / "evals.csv"
    _start(steps, (*STEP_COLUMNS, *step_columns), append_after)
    _start(evals, (*EVAL_COLUMNS, metric), append_after)
    return steps, evals


def _start(path: Path, columns: Sequence[str], append_after: int | None) -> None:
    """Write the head of a table, and the rows that stay when a run goes on from a step."""
    kept: list[str] = []
    if append_after is not None and path.is_file():
        head, *lines = path.read_text().splitlines(keepends=True)
        for line in lines:
            step = line.split(",", 1)[0]
            if line.endswith("\n") and step.isdigit() and int(step) <= append_after:
                kept.append(line)
        if (old := head.rstrip("\n").split(",")) != list(columns):
            # It goes on with other diagnostics than it had.
            rows = (dict(zip(old, line[:-1].split(","), strict=True)) for line in kept)
            kept = [",".join(row.get(column, "") for column in columns) + "\n" for row in rows]
    atomic_write(path, ",".join(columns) + "\n" + "".join(kept), durable=bool(kept))


def write_summary(directory: Path, summary: Mapping[str, Cell]) -> None:
    """Write ``summary.csv`` atomically: columns of the contract first, then the settings."""
    extra = sorted(set(summary) - set(SUMMARY_COLUMNS), key=after_summary)
    columns = (*SUMMARY_COLUMNS, *extra)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerow([text(summary.get(column)) for column in columns])
    atomic_write(directory / "summary.csv", out.getvalue())


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table of plain cells atomically."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([text(cell) for cell in row] for row in rows)
    atomic_write(path, out.getvalue())


def atomic_write(path: Path, content: str, durable: bool = True) -> None:
    """Write ``content`` so that readers see either the old file or the whole new one.

    Args:
        path: The file; its folder is created when missing.
        content: All of it.
        durable: Wait until it is on disk. What a run opens with need not be there before the
            summary is: without one, a run starts again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", newline="") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)


_WRITTEN_AS_THEY_ARE = {str, int, float, type(None)}
"""Types of which the csv module writes what `text` returns."""


def write_runs(path: Path, table: "pd.DataFrame") -> None:
    """Write a collected table (``runs.csv``), directories relative to it where possible."""
    base = os.path.realpath(path.parent)
    inside = base if base.endswith(os.sep) else base + os.sep
    parents: dict[str, str] = {}
    columns: list[Sequence[object]] = []
    for number, column in enumerate(table.columns):
        cells = table.iloc[:, number]
        values = cast("list[object]", cells.astype(object).where(cells.notna(), None).tolist())
        if column == "directory":
            values = [_below(str(value), inside, parents) for value in values]
        if not {type(value) for value in values} <= _WRITTEN_AS_THEY_ARE:
            values = [text(value) for value in values]
        columns.append(values)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(zip(*columns, strict=True))
    atomic_write(path, out.getvalue())


def _below(directory: str, base: str, parents: dict[str, str]) -> str:
    """Return a folder relative to ``base``, which ends in a separator, where it lies in it.

    ``parents`` keeps what parents of folders really are: runs have few.
    """
    parent, name = os.path.split(directory)
    if parent not in parents:
        parents[parent] = os.path.realpath(parent)
    absolute = os.path.join(parents[parent], name)
    if name in ("", ".", "..") or os.path.islink(absolute):
        absolute = os.path.realpath(directory)
    if absolute.startswith(base):
        return Path(absolute[len(base) :]).as_posix()
    return "." if absolute + os.sep == base else directory
