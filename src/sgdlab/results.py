"""The files of a run: their names, columns and meaning. The only reader and writer of them.

A run directory holds ``config.yaml``, ``environment.json``, ``steps.csv``, ``evals.csv`` and,
written last and atomically, ``summary.csv``: its presence means that the run ended by itself.
Floats are written with ``repr``, so that they read back exactly; what was not measured is an
empty cell, never an imputed number.
"""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

import pandas as pd
import yaml

from sgdlab.errors import InputError

STEP_COLUMNS = ("step", "epoch", "examples", "lr", "loss", "grad_norm", "clip_coef")
"""A row per optimizer update. ``step`` counts from 1, ``epoch`` from 1, ``examples`` are those
seen once the step is done, ``loss`` is the mean over the effective batch at the parameters
*before* the update, ``grad_norm`` the global L2 norm before clipping."""

EVAL_COLUMNS = ("step", "epoch", "examples", "train_seconds", "weights", "split", "loss")
"""A row per evaluation and split, followed by the metric of the task (``accuracy``, ``rmse``).
``step`` updates have been made: step 0 is the initialisation."""

SUMMARY_COLUMNS = (
    "run_id", "study", "phase", "trial", "status", "reason", "engine", "optimizer", "schedule",
    "model", "dataset", "task", "batch_size", "accumulate", "effective_batch_size", "scaling",
    "base_lr", "lr", "seed", "epochs", "steps", "examples", "num_parameters", "num_decayed",
    "optimizer_state_bytes", "peak_memory_bytes", "train_seconds", "examples_per_second",
    "final_train_loss", "final_val_loss", "best_val_loss", "metric", "metric_direction",
    "gradient_evaluations", "function_evaluations", "final_val_metric", "best_val_metric",
    "best_val_step", "test_loss", "test_metric",
)  # fmt: skip
"""One row, followed by the settings of optimizer and schedule (``optimizer.momentum``, …)."""

TIME_AND_MEMORY = ("train_seconds", "examples_per_second", "peak_memory_bytes")
"""Columns that differ from one execution of the same run to the next; all others repeat exactly."""

COMPLETED, DIVERGED, FAILED, UNFINISHED = "completed", "diverged", "failed", "unfinished"
"""``status`` of a run; ``unfinished`` (no summary) occurs in collected tables only."""

Cell = str | int | float | bool | None


def text(value: Any) -> str:
    """Return ``value`` as a CSV cell: ``None`` is empty, floats keep every digit."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value)
    return str(value)


class RunWriter:
    """Writes the files of one run.

    Args:
        directory: The run directory; created when missing.
        metric: Name of the metric column of ``evals.csv``.
        step_columns: Columns that diagnostics add to ``steps.csv``.
        append_after: When a run goes on from a checkpoint, its step: later rows are cut off.
    """

    def __init__(
        self,
        directory: Path,
        metric: str,
        step_columns: Sequence[str] = (),
        append_after: int | None = None,
    ) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "summary.csv").unlink(missing_ok=True)
        (directory / "error.txt").unlink(missing_ok=True)
        self._steps = _open(directory / "steps.csv", (*STEP_COLUMNS, *step_columns), append_after)
        self._evals = _open(directory / "evals.csv", (*EVAL_COLUMNS, metric), append_after)

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

    def finish(self, summary: Mapping[str, Cell]) -> None:
        """Close the tables, then write ``summary.csv``: the run has ended."""
        self.close()
        write_summary(self.directory, summary)


def write_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Write the resolved config; it opens with the defaults that restore Hydra's settings."""
    head = {"defaults": ["train_schema", "app", "_self_"]}
    content = yaml.safe_dump({**head, **config}, sort_keys=False, allow_unicode=True)
    atomic_write(directory / "config.yaml", content)


def write_study(directory: Path, protocol: Mapping[str, Any]) -> None:
    """Write ``study.yaml`` of a comparison: protocol, search bounds and budget."""
    content = yaml.safe_dump(dict(protocol), sort_keys=False, allow_unicode=True)
    atomic_write(directory / "study.yaml", content)


def read_study(directory: Path) -> dict[str, Any] | None:
    """Return ``study.yaml`` of a comparison, or None where there is none."""
    path = directory / "study.yaml"
    return yaml.safe_load(path.read_text()) if path.is_file() else None


def write_environment(directory: Path, environment: Mapping[str, Any]) -> None:
    """Write ``environment.json``."""
    atomic_write(directory / "environment.json", json.dumps(environment, indent=2) + "\n")


def write_error(directory: Path, traceback: str) -> None:
    """Write the traceback of a failed run to ``error.txt``."""
    atomic_write(directory / "error.txt", traceback)


def _open(path: Path, columns: Sequence[str], append_after: int | None) -> TextIO:
    kept: list[str] = []
    if append_after is not None and path.is_file():
        for line in path.read_text().splitlines(keepends=True)[1:]:
            step = line.split(",", 1)[0]
            if line.endswith("\n") and step.isdigit() and int(step) <= append_after:
                kept.append(line)
    atomic_write(path, ",".join(columns) + "\n" + "".join(kept))
    return path.open("a", newline="")


def write_summary(directory: Path, summary: Mapping[str, Cell]) -> None:
    """Write ``summary.csv`` atomically: columns of the contract first, then the settings."""
    extra = sorted(set(summary) - set(SUMMARY_COLUMNS))
    columns = (*SUMMARY_COLUMNS, *extra)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerow([text(summary.get(column)) for column in columns])
    atomic_write(directory / "summary.csv", out.getvalue())


def atomic_write(path: Path, content: str) -> None:
    """Write ``content`` so that readers see either the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", newline="") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


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
    return {column: _cell(cell) for column, cell in zip(rows[0], rows[1], strict=True)}


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
    settings = sorted(set(table.columns) - {"directory", *SUMMARY_COLUMNS})
    return table.reindex(columns=["directory", *SUMMARY_COLUMNS, *settings]), problems


def write_runs(path: Path, table: pd.DataFrame) -> None:
    """Write a collected table (``runs.csv``), directories relative to it where possible."""
    table = table.copy()
    base = path.parent.resolve()
    for index, directory in table["directory"].items():
        absolute = Path(str(directory)).resolve()
        if absolute.is_relative_to(base):
            table.loc[index, "directory"] = absolute.relative_to(base).as_posix()  # type: ignore[index]
    columns = list(table.columns)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in table.astype(object).where(table.notna(), None).itertuples(index=False):
        writer.writerow([text(cell) for cell in row])
    atomic_write(path, out.getvalue())
