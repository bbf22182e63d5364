"""Rows of one run on their way to ``steps.csv`` and ``evals.csv``, begun or gone on with."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from sgdlab.errors import writing
from sgdlab.results.contract import EVAL_COLUMNS, STEP_COLUMNS, Cell, text
from sgdlab.results.manifest import MANIFEST, FileSum, RunningSum
from sgdlab.results.write import atomic_write


class TablesBegun:
    """The tables of one run and their sums; the arguments are those of `start_tables`."""

    def __init__(
        self,
        directory: Path,
        metric: str,
        step_columns: Sequence[str] = (),
        append_after: int | None = None,
        known: Mapping[str, FileSum] | None = None,
        eval_columns: Sequence[str] = (),
    ) -> None:
        self._directory = directory
        self._sums = start_tables(
            directory, metric, step_columns, append_after, known, eval_columns
        )
        self._prepare()

    def _prepare(self) -> None:
        """Make what rows are collected in, once the tables have begun."""
        raise NotImplementedError

    def sums(self) -> dict[str, FileSum]:
        """Return the sums of both tables, with all rows that were handed to the files."""
        return {name: sum_.value() for name, sum_ in self._sums.items()}


class RunWriter(TablesBegun):
    """Writes the tables of one run, which stay open."""

    def _prepare(self) -> None:
        self._steps, self._evals = ((self._directory / name).open("ab") for name in self._sums)

    def steps(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Append rows to ``steps.csv``; each has the cells of its columns, in order."""
        self._append("steps.csv", "".join(f"{','.join(map(text, row))}\n" for row in rows))

    def evaluation(self, row: Sequence[Cell]) -> None:
        """Append a row to ``evals.csv`` and make all rows so far visible to other processes."""
        self._append("evals.csv", f"{','.join(map(text, row))}\n")
        for path, table in self._tables():
            with writing(path):
                table.flush()

    def _append(self, name: str, lines: str) -> None:
        content = lines.encode()
        with writing(self._directory / name):
            (self._steps if name == "steps.csv" else self._evals).write(content)
        self._sums[name].add(content)

    def flush(self) -> None:
        """Put all rows so far on disk: a checkpoint must never be ahead of its rows."""
        for path, table in self._tables():
            with writing(path):
                table.flush()
                os.fsync(table.fileno())

    def close(self) -> None:
        """Close both tables; a run without a summary counts as unfinished."""
        with contextlib.ExitStack() as closing:
            for path, table in self._tables():
                closing.enter_context(writing(path))
                closing.enter_context(table)

    def _tables(self) -> list[tuple[Path, IO[bytes]]]:
        tables = (self._steps, self._evals)
        return [(self._directory / name, t) for name, t in zip(self._sums, tables, strict=True)]


def start_tables(
    directory: Path,
    metric: str,
    step_columns: Sequence[str],
    append_after: int | None,
    known: Mapping[str, FileSum] | None = None,
    eval_columns: Sequence[str] = (),
) -> dict[str, RunningSum]:
    """Begin ``steps.csv`` and ``evals.csv`` of a run, and return the sums of what they begin with.

    Args:
        directory: The run directory, which is made when missing.
        metric: The name of the metric column of ``evals.csv``.
        step_columns: The columns that diagnostics and callbacks add to ``steps.csv``.
        append_after: When a run goes on from a checkpoint, its step: later rows are cut off.
        known: The sums of both tables that the checkpoint knows; older ones know none.
        eval_columns: The columns that callbacks add to ``evals.csv``, after the metric.
    """
    for old in ("summary.csv", MANIFEST, "error.txt"):  # a manifest alone says nothing
        (directory / old).unlink(missing_ok=True)
    columns = {
        "steps.csv": (*STEP_COLUMNS, *step_columns),
        "evals.csv": (*EVAL_COLUMNS, metric, *eval_columns),
    }
    return {
        name: _start(directory / name, own, append_after, (known or {}).get(name))
        for name, own in columns.items()
    }


def _start(
    path: Path, columns: Sequence[str], append_after: int | None, known: FileSum | None
) -> RunningSum:
    """Write the head of a table, and the rows that stay when a run goes on from a step."""
    kept: list[str] = []
    if append_after is not None and path.is_file():
        head, kept = _rows_up_to(path.read_bytes(), append_after, known)
        if (old := head.split(",")) != list(columns):
            # It goes on with other diagnostics than it had.
            rows = (dict(zip(old, line[:-1].split(","), strict=True)) for line in kept)
            kept = [",".join(row.get(column, "") for column in columns) + "\n" for row in rows]
    content = ",".join(columns) + "\n" + "".join(kept)
    atomic_write(path, content, durable=bool(kept))
    return RunningSum(content.encode())


def _rows_up_to(content: bytes, step: int, known: FileSum | None) -> tuple[str, list[str]]:
    """Return the head of a table and its lines up to a step.

    By the length that a checkpoint knows, since later rows may say anything. Without one by the
    steps that the rows name.
    """
    # What comes after those rows need not be text.
    text_ = content[: known.bytes if known else None].decode(errors="replace")
    head, *lines = text_.splitlines(keepends=True) or [""]
    if known is None:
        named = ((line.split(",", 1)[0], line) for line in lines if line.endswith("\n"))
        lines = [line for own, line in named if own.isdigit() and int(own) <= step]
    return head.rstrip("\n"), lines


def last_row(directory: Path) -> tuple[int, int, int]:
    """Return step, epoch and examples of the last whole row of ``steps.csv``; 0 without one."""
    try:
        content = (directory / "steps.csv").read_bytes()
        row = content[: content.rfind(b"\n")].rpartition(b"\n")[2].split(b",")
        return int(row[0]), int(row[1]), int(row[2])
    except (OSError, ValueError, IndexError):
        return 0, 0, 0
