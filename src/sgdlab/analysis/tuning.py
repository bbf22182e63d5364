"""What the files tell of a contender's search: its replicates and its settings."""

import math
from typing import NamedTuple

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.units import NO_REPLICATE, REPLICATE
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.checks import is_number


class RecordedSearch(NamedTuple):
    """One independent search of a contender, and the runs that its winner was given.

    Attributes:
        replicate: The number of the search; negative where runs name none.
        trials: The rows of its tuning trials.
        finals: The rows of its final runs.
    """

    replicate: float
    trials: list[int]
    finals: list[int]


def searches(entry: Entry) -> list[RecordedSearch]:
    """Return the searches of a contender that was tuned, by replicate."""
    if entry.unit != REPLICATE:
        return [
            RecordedSearch(next(iter(entry.trials_of), NO_REPLICATE), entry.trials, entry.chosen)
        ]
    numbers = sorted({*entry.trials_of, *entry.units})
    return [RecordedSearch(n, entry.trials_of.get(n, []), entry.units.get(n, [])) for n in numbers]


def learning_rate(runs: Runs, row: int) -> float:
    """Return the base learning rate of a run; NaN where it is not told."""
    rate = runs.rows[row].get("base_lr")
    return float(rate) if is_number(rate) else math.nan


def maximises(workload: WorkloadRuns, column: str) -> bool:
    """Whether more of a column of ``summary.csv`` is better: metrics may be, losses never are."""
    return workload.maximise and column.endswith("metric")


def tolerance(workload: WorkloadRuns, column: str, best: float) -> float:
    """Return how much worse than ``best`` still counts as equally good.

    One point of accuracy (0.01); of any other metric, and of losses, 5 % of the best value.
    """
    if workload.metric == "accuracy" and column.endswith("metric"):
        return 0.01
    return 0.05 * abs(best)
