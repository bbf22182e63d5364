"""Budget curves: what validation metric a search of ``k`` trials is expected to find."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sgdlab.analysis.budget import expected_best
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.solo_timing import SoloTiming, seconds_of
from sgdlab.analysis.statistics import best_of_band
from sgdlab.analysis.tuning import maximises, searches
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, DIVERGED, STOPPED

BUDGET_COLUMNS = (
    "dataset", "model", "optimizer", "metric", "k", "best", "low", "high", "seconds",
    "held", "by", "median", "band_low", "band_high",
)  # fmt: skip
"""``budget.csv``: a row per optimizer and number of trials of a search.

Columns:
    metric: The column whose best is expected.
    low, high: The smallest and the largest ``best`` of a replicate.
    seconds (s): ``k`` times the mean time of a trial; empty where that of none is known.
"""

METRIC = "final_val_metric"
"""Column whose best is expected."""


@dataclass(frozen=True)
class BudgetCurve:
    """The expected best validation metric of a contender against its budget.

    Attributes:
        optimizer: The contender.
        k: How many trials a search has.
        best: The mean over replicates of the expected best of ``k`` of their trials; NaN where a
            search of ``k`` trials may find none that completes.
        low: The smallest of these over replicates.
        high: The largest of these over replicates.
        seconds: ``k`` times the mean seconds of a trial; NaN when those of any are not known.
        median: The median of the best of ``k`` trials, by the trials of all searches; NaN where
            trials are no independent draws.
        band_low: The lower edge of its 95 % band, simultaneous for all ``k``; infinite where so few
            trials say nothing, see `sgdlab.analysis.statistics.best_of_band`.
        band_high: The upper edge.
    """

    optimizer: str
    k: list[int]
    best: list[float]
    low: list[float]
    high: list[float]
    seconds: list[float]
    median: list[float] = field(default_factory=list[float])
    band_low: list[float] = field(default_factory=list[float])
    band_high: list[float] = field(default_factory=list[float])


_BAND = ("median", "band_low", "band_high")

POINTS = 64
"""Budgets of a curve: all of up to so many trials."""


def budgets(
    runs: Runs,
    alone: dict[int, SoloTiming],
    workload: WorkloadRuns,
    entries: Sequence[Entry],
    drawn: bool = False,
) -> list[BudgetCurve]:
    """Return the budget curves of the contenders that were tuned.

    Their bands need trials that are ``drawn``, each from one distribution whatever the others gave.

    The estimator is that of `expected_best`, exact for trials drawn without replacement; a trial
    that diverged is worse than any other. Replicates of unequal size count up to the smallest.

    A contender without tuning trials, or of which a trial was stopped by successive halving, has
    no curve: a stopped trial has no final value, and those that were not stopped are no random
    sample of the search. Trials that failed or did not end do not count.
    """
    found = (_curve(runs, alone, workload, entry, drawn) for entry in entries)
    return [curve for curve in found if curve is not None]


def _curve(
    runs: Runs,
    alone: dict[int, SoloTiming],
    workload: WorkloadRuns,
    entry: Entry,
    drawn: bool,
) -> BudgetCurve | None:
    if any(runs.rows[row]["status"] == STOPPED for row in entry.trials):
        return None
    maximise = maximises(workload, METRIC)
    samples = [_values(runs, search.trials, maximise) for search in searches(entry)]
    samples = [values for values in samples if values]
    if not samples:
        return None
    curve = BudgetCurve(entry.optimizer, [], [], [], [], [])
    pooled = [value for values in samples for value in values]
    spent = [seconds_of(runs, alone, row) for row in entry.trials]
    each = math.fsum(spent) / len(spent)
    for k in _budgets_up_to(min(map(len, samples))):
        found = [expected_best(values, k, maximize=maximise) for values in samples]
        finite = all(map(math.isfinite, found))
        curve.k.append(k)
        curve.best.append(math.fsum(found) / len(found) if finite else math.nan)
        curve.low.append(min(found) if finite else math.nan)
        curve.high.append(max(found) if finite else math.nan)
        curve.seconds.append(k * each)
        ends = best_of_band(pooled, k, maximise=maximise) if drawn else (math.nan,) * 3
        least, most = workload.bounds
        for side, end in zip((curve.median, curve.band_low, curve.band_high), ends, strict=True):
            side.append(min(max(end, least), most) if drawn else end)
    return curve


def _budgets_up_to(trials: int) -> list[int]:
    """Return every budget, or of many trials about ``POINTS``, ever further apart."""
    if trials <= POINTS:
        return list(range(1, trials + 1))
    step = trials ** (1 / POINTS)
    return sorted({*(round(step**i) for i in range(POINTS)), trials})


def _values(runs: Runs, rows: Sequence[int], maximise: bool) -> list[float]:
    worst = -math.inf if maximise else math.inf
    values: list[float] = []
    for row in rows:
        status, cell = runs.rows[row]["status"], runs.rows[row].get(METRIC)
        if status == DIVERGED:
            values.append(worst)
        elif status == COMPLETED and is_number(cell):
            values.append(float(cell))
    return values


def budget_rows(workload: WorkloadRuns, curves: Sequence[BudgetCurve]) -> list[dict[str, Any]]:
    """Return curves as rows of ``budget.csv``."""
    return [
        {**workload.columns, "optimizer": curve.optimizer, "metric": METRIC}
        | {
            column: getattr(curve, column)[place]
            for column in ("k", "best", "low", "high", "seconds", *_BAND)
            if column not in _BAND or curve.median
        }
        for curve in curves
        for place in range(len(curve.k))
    ]
