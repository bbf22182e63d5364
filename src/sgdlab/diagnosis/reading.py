"""Reads the files of a run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.table import read_mixed, read_numbers
from sgdlab.errors import InputError
from sgdlab.results import EVAL_COLUMNS, STEP_COLUMNS, Cell, read_config, read_summary


def read_run(directory: Path) -> RunRecord:
    """Read a run's files.

    Raises:
        InputError: One is missing or damaged; names the file and the line.
    """
    config = read_config(directory)
    for key in ("optimizer", "lr", "epochs"):
        if key not in config:
            raise InputError(f"{directory / 'config.yaml'}: no key {key}; not a config of a run")
    for key in ("lr", "epochs"):
        if not isinstance(config[key], int | float):
            raise InputError(f"{directory / 'config.yaml'}: {key}={config[key]}: is not a number")
    summary = read_summary(directory)
    partial = summary is None
    steps, evals = directory / "steps.csv", directory / "evals.csv"
    numbers = read_numbers(steps, STEP_COLUMNS, partial) if _is_there(steps, summary) else None
    rows = (
        read_mixed(evals, EVAL_COLUMNS, ("weights", "split"), partial)
        if _is_there(evals, summary)
        else None
    )
    empty = {name: np.empty(0) for name in STEP_COLUMNS}
    rows = rows or {name: np.empty(0, dtype=object) for name in (*EVAL_COLUMNS, "metric")}
    if len(rows) == len(EVAL_COLUMNS):
        raise InputError(f"{evals}, line 1: no column after {EVAL_COLUMNS[-1]}")
    return RunRecord(
        directory, config, numbers or empty, rows, list(rows)[len(EVAL_COLUMNS)], summary
    )


def _is_there(path: Path, summary: Mapping[str, Cell] | None) -> bool:
    """Whether to read a table: one that failed before its first step, or starts, has none."""
    ended_well = summary is not None and summary["status"] != "failed"
    return ended_well or path.is_file()
