"""The target of a workload: a value of the validation metric that runs are timed to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.checks import is_number
from sgdlab.errors import InputError, suggest
from sgdlab.results import COMPLETED, Columns

CLOCKS = ("step", "examples", "train_seconds")
"""Columns of ``evals.csv`` against which a metric is looked at."""


@dataclass(frozen=True)
class Target:
    """A value of the validation metric; None when no run tells one.

    Attributes:
        value: The value of the validation metric.
        given: Whether it was given as a number.
        reference: The contender of whose final runs it is the median; empty when derived from all.
        origin: ``study:PATH``, where the number is of another study.
    """

    value: float | None
    given: bool
    reference: str = ""
    origin: str = ""


def choose(
    runs: Runs, workload: WorkloadRuns, entries: Sequence[Entry], given: float | str | None
) -> Target:
    """Return the target: the number given, the median of a stated reference, or one derived.

    Of a reference (the name of a contender) it is the median of the best validation metric of its
    completed final runs; of two in the middle the less demanding one, which a run has reached.

    Derived, it is the median over contenders of that median of each; again of two the less
    demanding. Of two contenders, both reach it in at least half of their runs; of many, one that
    fails does not make it trivial. Of logs of others none is derived: to time them takes most of
    the time of a verdict.
    """
    if given is not None and not isinstance(given, str):
        return Target(float(given), given=True)
    if workload.logged and given is None:
        return Target(None, given=False)
    medians: list[float] = []
    for entry in entries:
        if given is not None and entry.optimizer != given:
            continue
        values = numbers(runs, completed(runs, entry.chosen), "best_val_metric")
        if any(math.isfinite(value) for value in values):
            medians.append(_less_demanding(values, workload.maximise))
    value = _less_demanding(medians, workload.maximise) if medians else None
    return Target(value, given=False, reference=given or "")


def checked_target(
    given: float | str | None, parts: Sequence[WorkloadRuns], contenders: Sequence[str]
) -> float | str | None:
    """Return a target as a number or as the name of a contender.

    Args:
        given: A number, its text, or a name.
        parts: The workloads.
        contenders: Names that a reference can have.

    Raises:
        InputError: It is neither a finite number nor a contender, or above 1 for accuracies.
    """
    if given is None:
        return None
    try:
        number = float(given)
    except (TypeError, ValueError):  # a study.yaml may be anyone's
        if given not in contenders:
            right = "a number such as 0.95, or a contender as the reference"
            found = suggest(str(given), contenders)
            raise InputError(f"--target {given}: must be {right}; {found}") from None
        return str(given)
    if not math.isfinite(number):
        raise InputError(f"--target {given}: must be a number, such as 0.95")
    of_accuracy = parts and all(part.metric == "accuracy" for part in parts)
    if number <= 0 and of_accuracy:
        raise InputError(f"--target {given}: accuracy is a fraction from 0 to 1, such as 0.95")
    if number > 1 and of_accuracy:
        raise InputError(
            f"--target {number:g}: accuracy is a fraction from 0 to 1; "
            f"{number / 100:g} would be {number:g} %"
        )
    return number


def _less_demanding(values: Sequence[float], maximise: bool) -> float:
    ordered = sorted((v for v in values if math.isfinite(v)), reverse=not maximise)
    return ordered[(len(ordered) - 1) // 2]


def validation(runs: Runs, row: int, column: str, split: str = "val") -> Columns | None:
    """Return `CLOCKS` and a column of the evaluations of a run on a split.

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
    return {name: table[name][places] for name in (*CLOCKS, column)}


def completed(runs: Runs, rows: Sequence[int]) -> list[int]:
    """Return those of ``rows`` that completed."""
    return [row for row in rows if runs.rows[row]["status"] == COMPLETED]


def numbers(runs: Runs, rows: Sequence[int], column: str) -> list[float]:
    """Return a column of some runs as floats, NaN where it is empty."""
    cells = [runs.rows[row][column] for row in rows]
    return [float(cell) if is_number(cell) else math.nan for cell in cells]
