"""Reads the files of one run, or of those that a command names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.table import read_mixed, read_numbers
from sgdlab.errors import InputError
from sgdlab.results import (
    EVAL_COLUMNS,
    STEP_COLUMNS,
    Cell,
    find_runs,
    has_run,
    read_config,
    read_summary,
)


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


def folders_at(asked: Sequence[Path]) -> list[Path]:
    """Return the runs at or below the folders that were typed.

    Raises:
        InputError: A folder is missing, is a file, or holds no run.
    """
    for folder in asked:
        if folder.is_file():
            raise InputError(f"{folder}: a file; give the folder of the run, {folder.parent}")
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
        if not has_run(folder):
            raise InputError(
                f"{folder}: holds no run (a folder with config.yaml and steps.csv), at any depth"
            )
    return find_runs(asked)


def read_runs(folders: Sequence[Path]) -> tuple[list[RunRecord], list[str]]:
    """Return the runs that can be read, and a line for each that cannot."""
    runs: list[RunRecord] = []
    damages: list[str] = []
    for folder in folders:
        try:
            runs.append(read_run(folder))
        except InputError as error:
            damages.append(str(error))
    return runs, damages


def siblings_of(run: RunRecord, known: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the known runs but this one, and those beside it in its parent folder."""
    own = run.directory.resolve()
    folders = {other.directory.resolve() for other in known}
    beside = [
        folder
        for folder in sorted(own.parent.iterdir())
        if folder not in folders and (folder / "config.yaml").is_file()
    ]
    # Nobody asked for these: those that are damaged do not matter.
    return [other for other in known if other.directory.resolve() != own] + read_runs(beside)[0]
