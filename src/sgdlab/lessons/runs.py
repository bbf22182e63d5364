"""A run of a lesson as its files have it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sgdlab.errors import InputError, suggest
from sgdlab.results import Cell, read_evals, read_steps, read_summary

SPLITS = ("train", "val")


class SplitColumns(dict[str, np.ndarray]):
    """The columns of ``evals.csv`` for one split: a row per evaluation, the first before any step.

    Raises:
        KeyError: A column is asked for that is not there; the nearest is named.
    """

    def __missing__(self, key: str) -> np.ndarray:
        raise KeyError(f"evals.csv has no column {key}; {suggest(key, self)}")


@dataclass(frozen=True)
class LessonRun:
    """A run that ended.

    Attributes:
        name: The name that the lesson gives it.
        overrides: The overrides that make it differ from the other runs.
        steps: The columns of ``steps.csv``, empty cells as NaN.
        evals: The evaluations of the weights themselves, by split.
        summary: The row of ``summary.csv``.
    """

    name: str
    overrides: tuple[str, ...]
    steps: Mapping[str, np.ndarray]
    evals: Mapping[str, SplitColumns]
    summary: Mapping[str, Cell]

    def __getitem__(self, key: str) -> Any:
        """Return the evaluations of a split, the summary, or a column of ``steps.csv``.

        Raises:
            KeyError: There is none; the nearest is named.
        """
        found = {**self.steps, **self.evals, "summary": self.summary}
        if key not in found:
            raise KeyError(f"steps.csv of {self.name} has no column {key}; {suggest(key, found)}")
        return found[key]


def read_run(name: str, overrides: tuple[str, ...], folder: Path) -> LessonRun:
    """Return a run that ended.

    Raises:
        InputError: It did not, or a file is damaged.
    """
    summary = read_summary(folder)
    if summary is None:
        raise InputError(f"{folder}: the run has not ended; type the command again")
    evals = read_evals(folder)
    raw = evals[evals["weights"] == "raw"]
    splits = {split: SplitColumns(_columns(raw[raw["split"] == split])) for split in SPLITS}
    return LessonRun(name, overrides, _columns(read_steps(folder)), splits, summary)


def _columns(table: Any) -> dict[str, np.ndarray]:
    texts = ("weights", "split")
    return {str(c): table[c].to_numpy(dtype=float) for c in table.columns if c not in texts}
