"""How forgiving is an optimizer? Results against the learning rate, and the width of the basin."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.statistics import Basin, basin
from sgdlab.analysis.tuning import learning_rate, maximises, tolerance
from sgdlab.analysis.workloads import Fingerprint, WorkloadRuns, fingerprint, text
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, DIVERGED

SENSITIVITY_COLUMNS = (
    "dataset", "model", "optimizer", "metric", "lr", "value", "status", "tolerance", "best_lr",
    "best", "basin_low", "basin_high", "basin_decades", "open_low", "open_high",
    "held", "by",
)  # fmt: skip
"""``sensitivity.csv``: a row per run; what follows ``status`` is the same for all of an optimizer.

Columns:
    metric: The column of ``runs.csv`` that ``value`` is from.
    lr: ``base_lr`` of the run.
    value: What it reached; empty where it did not complete.
    tolerance: How much worse than the best still counts as good, in units of the metric.
    best_lr, best: The rate with the best mean over runs of the same settings, and that mean.
    basin_low, basin_high: The outermost rates around the best that are as good.
    basin_decades: ``log10(basin_high / basin_low)``.
    open_low, open_high: Whether no lower or higher rate was tried, so that it may reach further.
"""

Point = tuple[float, float, str]

_NEAR = 10**0.125
"""Factor between learning rates up to which a difference is not put down to them."""


@dataclass(frozen=True)
class Sensitivity:
    """Results of a contender against its learning rate.

    Attributes:
        optimizer: The contender, and the settings that tell its lines apart.
        points: Learning rate, value and status of each run; one that did not complete has no
            value (NaN).
        basin: Where results are within ``tolerance`` of the best; None when none completed.
        tolerance: How much worse than the best still counts; NaN when none completed.
        pooled: The other settings that vary among the runs, so that no line joins them.
        compared: The learning rates of the runs compared, where others were run, too.
    """

    optimizer: str
    points: list[Point]
    basin: Basin | None
    tolerance: float
    pooled: tuple[str, ...] = ()
    compared: tuple[float, ...] = ()


def sensitivity(
    runs: Runs, workload: WorkloadRuns, entries: Sequence[Entry], column: str
) -> list[Sensitivity]:
    """Return what the learning rate does to each contender, pooled over replicates.

    From the tuning trials, or from all runs where there are none (a sweep). Other settings vary
    along, so the spread at one rate is theirs, and that of seeds. The basin is of the mean over
    runs of the same settings, and settings of which a run diverged are not good; but what is worse
    than a good trial at nearly the same rate (within an eighth of a decade, a factor of 1.33) owes
    that to its other settings or to chance, and does not end the basin.

    The tolerance is one point for accuracy, and 5 % of the best value of all else.

    ``column`` is that of ``runs.csv`` with the results, such as ``final_val_metric``.
    """
    every = [(entry.optimizer, entry.trials or compared(entry)) for entry in entries]
    return [sensitivity_of(runs, workload, name, rows, column) for name, rows in every]


def compared(entry: Entry) -> list[int]:
    """Return the runs of a contender that are no trials, those of settings not chosen included."""
    return [*entry.chosen, *entry.others]


def sensitivity_of(
    runs: Runs, workload: WorkloadRuns, name: str, rows: Sequence[int], column: str
) -> Sensitivity:
    """Return what the learning rate does to some runs; see `sensitivity`."""
    rows = [row for row in rows if learning_rate(runs, row) > 0]
    points = sorted((_point(runs, row, column) for row in rows), key=lambda point: point[0])
    maximise = maximises(workload, column)
    settings = _settings(runs, rows, column)
    values = [value for _, value in settings if not math.isnan(value)]
    if not values:
        return Sensitivity(name, points, None, math.nan)
    allowed = tolerance(workload, column, max(values) if maximise else min(values))
    telling = _telling(settings, maximise, allowed)
    found = basin([rate for rate, _ in telling], [v for _, v in telling], maximise, allowed)
    return Sensitivity(name, points, found, allowed)


def _point(runs: Runs, row: int, column: str) -> Point:
    status, value = text(runs.rows[row]["status"]), runs.rows[row].get(column)
    if status != COMPLETED or not is_number(value):
        value = math.nan
    return learning_rate(runs, row), float(value), status


def _settings(runs: Runs, rows: Sequence[int], column: str) -> list[tuple[float, float]]:
    """Return learning rate and mean value of each setting; NaN where a run diverged."""
    groups: dict[tuple[float, Fingerprint | int], list[Point]] = {}
    for row in rows:
        point, config = _point(runs, row, column), runs.configs[row]
        same = fingerprint(config) if config else row
        groups.setdefault((point[0], same), []).append(point)
    found: list[tuple[float, float]] = []
    for (rate, _), points in sorted(groups.items(), key=lambda group: group[0][0]):
        values = [value for _, value, _ in points if not math.isnan(value)]
        if any(status == DIVERGED for _, _, status in points):
            found.append((rate, math.nan))
        elif values:
            found.append((rate, math.fsum(values) / len(values)))
    return found


def _telling(
    settings: Sequence[tuple[float, float]], maximise: bool, allowed: float
) -> list[tuple[float, float]]:
    """Leave out bad settings with a good one at nearly the same learning rate."""
    values = [value for _, value in settings if not math.isnan(value)]
    best = max(values) if maximise else min(values)
    good = [rate for rate, value in settings if abs(value - best) <= allowed]
    return [
        (rate, value)
        for rate, value in settings
        if abs(value - best) <= allowed
        or not any(1 / _NEAR <= rate / other <= _NEAR for other in good)
    ]


def sensitivity_rows(
    workload: WorkloadRuns, column: str, found: Sequence[Sensitivity]
) -> list[dict[str, Any]]:
    """Return rows of ``sensitivity.csv``, whose values are of ``column``."""
    rows: list[dict[str, Any]] = []
    for one in found:
        whole = {**workload.columns, "optimizer": one.optimizer, "metric": column}
        whole |= {"tolerance": one.tolerance, **_of_basin(one.basin)}
        rows += [whole | {"lr": lr, "value": v, "status": s} for lr, v, s in one.points]
    return rows


def _of_basin(found: Basin | None) -> dict[str, Any]:
    own = {} if found is None else asdict(found)
    inner = ("low", "high", "decades")
    return {f"basin_{name}" if name in inner else name: value for name, value in own.items()}
