"""Reads the files of one run, or of those that a command names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.siblings import Siblings
from sgdlab.diagnosis.table import read_mixed, read_numbers
from sgdlab.errors import InputError
from sgdlab.results import (
    EVAL_COLUMNS,
    STEP_COLUMNS,
    Cell,
    ConfigReader,
    folders,
    has_run,
    packed,
    read_summary,
)
from sgdlab.results.packed import is_there


def read_run(directory: Path, configs: ConfigReader | None = None) -> RunRecord:
    """Read a run's files.

    Args:
        directory: The run directory.
        configs: Has read the configs of other runs, with which this one may share sections.

    Raises:
        InputError: One is missing or damaged; names the file and the line.
    """
    config = (configs or ConfigReader()).read(directory)
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
    return ended_well or is_there(str(path))


def folders_at(asked: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the runs at or below the folders that were typed.

    Returns:
        The runs, and a line for each thing that keeps one from being found or whole.

    Raises:
        InputError: A folder is missing, is a file, or holds no run.
    """
    for folder in asked:
        if folder.is_file():
            raise InputError(f"{folder}: a file; give the folder of the run, {folder.parent}")
        if not folder.is_dir() and packed.found(str(folder)) is None:
            raise InputError(f"{folder}: no such folder")
        if not has_run(folder):
            raise InputError(
                f"{folder}: holds no run (a folder with config.yaml and steps.csv), at any depth"
            )
    found, problems = folders(asked)
    return list(map(Path, found)), problems


def read_runs(folders: Sequence[Path]) -> tuple[list[RunRecord], list[str]]:
    """Return the runs that can be read, and a line for each that cannot."""
    runs: list[RunRecord] = []
    damages: list[str] = []
    configs = ConfigReader()
    for folder in folders:
        try:
            runs.append(read_run(folder, configs))
        except InputError as error:
            damages.append(str(error))
    return runs, damages


def siblings_of(runs: Sequence[RunRecord]) -> list[list[Siblings]]:
    """Return for each run where its siblings are: among all of them, and beside it in its parent.

    A folder is looked at once, however many of the runs lie in it.
    """
    known = Siblings(runs)
    folders = [run.directory.resolve() for run in runs]
    among = set(folders)
    beside: dict[Path, Siblings] = {}
    for parent in {folder.parent for folder in folders}:
        others = [
            folder
            for folder in (sorted(parent.iterdir()) if parent.is_dir() else [])
            if folder not in among
            and (folder / "config.yaml").is_file()
            and not folder.is_symlink()
        ]
        # Nobody asked for these: those that are damaged do not matter.
        beside[parent] = Siblings(read_runs(others)[0])
    return [[known, beside[folder.parent]] for folder in folders]
