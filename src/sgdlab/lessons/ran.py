"""A run of a lesson as its files have it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sgdlab.errors import InputError, suggest
from sgdlab.results import Cell, read_evals, read_steps, read_summary

SPLITS = ("train", "val")


@dataclass(frozen=True)
class Evals:
    """The columns of ``evals.csv`` of one split, of the weights themselves.

    Attributes:
        split: ``train`` or ``val``.
        columns: A row per evaluation, the first before any step.
    """

    split: str
    columns: Mapping[str, np.ndarray]

    def __getitem__(self, key: str) -> np.ndarray:
        """Return a column.

        Raises:
            KeyError: There is none.
        """
        if key not in self.columns:
            raise KeyError(f"evals.csv has no column {key}; {suggest(key, self.columns)}")
        return self.columns[key]


@dataclass(frozen=True)
class Ran:
    """A run that ended.

    Attributes:
        name: As the lesson calls it.
        overrides: That make it differ from the others.
        folder: Its run directory.
        steps: The columns of ``steps.csv``, empty cells as NaN.
        evals: By split.
        summary: The row of ``summary.csv``.
    """

    name: str
    overrides: tuple[str, ...]
    folder: Path
    steps: Mapping[str, np.ndarray]
    evals: Mapping[str, Evals]
    summary: Mapping[str, Cell]

    def __getitem__(self, key: str) -> Any:
        """Return the evaluations of a split, the summary, or a column of ``steps.csv``.

        Raises:
            KeyError: There is none.
        """
        if key == "summary":
            return self.summary
        if key in self.evals:
            return self.evals[key]
        if key not in self.steps:
            raise KeyError(f"steps.csv of {self.name} has no column {key}; {self._columns(key)}")
        return self.steps[key]

    def _columns(self, key: str) -> str:
        return suggest(key, [*self.steps, *self.evals, "summary"])


def read_run(name: str, overrides: tuple[str, ...], folder: Path) -> Ran:
    """Return a run that ended.

    Raises:
        InputError: It did not, or a file is damaged.
    """
    summary = read_summary(folder)
    if summary is None:
        raise InputError(f"{folder}: the run has not ended; type the command again")
    steps = read_steps(folder)
    evals = read_evals(folder)
    raw = evals[evals["weights"] == "raw"]
    return Ran(
        name,
        overrides,
        folder,
        {str(c): steps[c].to_numpy(dtype=float) for c in steps.columns},
        {split: _of_split(split, raw[raw["split"] == split]) for split in SPLITS},
        summary,
    )


def _of_split(split: str, rows: Any) -> Evals:
    texts = ("weights", "split")
    columns = [str(column) for column in rows.columns if column not in texts]
    return Evals(split, {column: rows[column].to_numpy(dtype=float) for column in columns})
