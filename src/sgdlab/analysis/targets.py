"""Steps and seconds to a target of the validation metric."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import Workload
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, Columns


@dataclass(frozen=True)
class Target:
    """A value of the validation metric; None when no run tells one."""

    value: float | None
    given: bool


def choose(runs: Runs, workload: Workload, entries: Sequence[Entry], given: float | None) -> Target:
    """Return the target: the one given, or the middle of what the optimizers reach.

    Derived, it is the median over optimizers of the median of the best validation metric of
    their completed runs; of two in the middle the less demanding one. Of two optimizers, both
    reach it in at least half of their runs; of many, one that fails does not make it trivial.
    """
    if given is not None:
        return Target(given, given=True)
    medians: list[float] = []
    for entry in entries:
        values = numbers(runs, completed(runs, entry.chosen), "best_val_metric")
        if any(math.isfinite(value) for value in values):
            # Of an even number, the less demanding middle value: a run has reached it.
            medians.append(_less_demanding(values, workload.maximise))
    if not medians:
        return Target(None, given=False)
    return Target(_less_demanding(medians, workload.maximise), given=False)


def _less_demanding(values: Sequence[float], maximise: bool) -> float:
    ordered = sorted((v for v in values if math.isfinite(v)), reverse=not maximise)
    return ordered[(len(ordered) - 1) // 2]


@dataclass(frozen=True)
class Reach:
    """When a run reached the target: inf when never; seconds NaN when time was not measured."""

    steps: float
    seconds: float


def reach(runs: Runs, workload: Workload, row: int, target: float) -> Reach:
    """Return when a run first reached the target, by its evaluations with raw weights."""
    table = validation(runs, row, workload.metric)
    if table is None:
        return Reach(math.inf, math.inf)
    values = table[workload.metric].astype(float)
    hit = values >= target if workload.maximise else values <= target
    if not hit.any():
        return Reach(math.inf, math.inf)
    first = int(np.argmax(hit))
    return Reach(float(table["step"][first]), float(table["train_seconds"][first]))


def validation(runs: Runs, row: int, column: str, split: str = "val") -> Columns | None:
    """Return ``step``, ``train_seconds`` and a column of the evaluations of a run on a split.

    With raw weights, by step, where the column is not empty; None when there are none.
    """
    key = (row, column, split)
    if key not in runs.validations:
        runs.validations[key] = _validation(runs.evals.get(row), column, split)
    return runs.validations[key]


def _validation(table: Columns | None, column: str, split: str) -> Columns | None:
    if table is None or column not in table:
        return None
    keep = (table["split"] == split) & (table["weights"] == "raw") & ~np.isnan(table[column])
    places = np.flatnonzero(keep)
    if not len(places):
        return None
    steps = table["step"][places]
    if (steps[1:] < steps[:-1]).any():
        places = places[np.argsort(steps, kind="stable")]
    return {name: table[name][places] for name in ("step", "train_seconds", column)}


def completed(runs: Runs, rows: Sequence[int]) -> list[int]:
    """Return those of ``rows`` that completed."""
    return [row for row in rows if runs.rows[row]["status"] == COMPLETED]


def numbers(runs: Runs, rows: Sequence[int], column: str) -> list[float]:
    """Return a column of some runs as floats, NaN where it is empty."""
    cells = [runs.rows[row][column] for row in rows]
    return [float(cell) if is_number(cell) else math.nan for cell in cells]
