"""Times to the target, censored: when the units of a contender first reached it, if they did."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.statistics import NAN, censored_median, kaplan_meier_median
from sgdlab.analysis.targets import CLOCKS, Target, validation
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, DIVERGED, UNFINISHED

Observation = tuple[float, bool]
"""A time, and whether the target was reached at it or not until then."""


@dataclass(frozen=True)
class Seen:
    """When a run reached the target, by each of `CLOCKS`, and how far it is known.

    Attributes:
        reached: The first evaluation at or beyond the target; inf when there is none, NaN for a
            clock that did not run.
        end: The last evaluation.
        lost: The run diverged: it never will reach it.
    """

    reached: dict[str, float]
    end: dict[str, float]
    lost: bool

    @property
    def there(self) -> bool:
        """Whether the run reached the target."""
        return math.isfinite(self.reached["step"])


@dataclass(frozen=True)
class Times:
    """The units of one contender, each with its runs; see `times`."""

    units: dict[float, list[Seen]]
    horizon: dict[str, float]
    barren: frozenset[float]

    @property
    def reached(self) -> int:
        """How many runs reached the target."""
        return sum(seen.there for runs in self.units.values() for seen in runs)

    def observations(self, clock: str) -> list[Observation]:
        """Return an observation per unit; none where the clock did not run in all of them.

        The time of a unit is the median over its runs, a run that did not reach the target being
        later than all others: it is reached when more than half of its runs did (both middle ones,
        where their number is even). Else the unit is censored at the median of how far its runs
        are known. A run that diverged never will reach the target; it is known up to the longest
        time that any run of the workload was trained, and so is a replicate whose every trial was
        lost: neither may leave the risk set early, which would count it for as good as the others.
        Runs that were interrupted are censored where they stand.
        """
        found: list[Observation] = []
        for number, runs in self.units.items():
            far = self.horizon[clock]
            if not runs:
                if number in self.barren:
                    found.append((far, False))
                continue
            until = [
                seen.reached[clock] if seen.there else far if seen.lost else seen.end[clock]
                for seen in runs
            ]
            if any(math.isnan(value) for value in until):
                return []
            middle = censored_median(
                [value if seen.there else math.inf for seen, value in zip(runs, until, strict=True)]
            )
            if math.isfinite(middle):
                found.append((middle, True))
            else:
                found.append((float(statistics.median(until)), False))
        return found

    def median(self, clock: str) -> float:
        """Return the Kaplan–Meier median over units; NaN where it is not reached or not timed."""
        seen = self.observations(clock)
        if not any(reached for _, reached in seen):
            return NAN
        median = kaplan_meier_median([time for time, _ in seen], [there for _, there in seen])
        return median if math.isfinite(median) else NAN


def times(
    runs: Runs, workload: WorkloadRuns, entries: Sequence[Entry], target: Target
) -> list[Times]:
    """Return the times of each contender to the target; empty where there is no target."""
    if target.value is None:
        return []
    value = target.value
    units = [
        {number: [_seen(runs, workload, row, value) for row in rows] for number, rows in unit}
        for unit in (entry.units.items() for entry in entries)
    ]
    every = [seen for found in units for members in found.values() for seen in members]
    horizon = {
        clock: max(
            (seen.end[clock] for seen in every if math.isfinite(seen.end[clock])), default=NAN
        )
        for clock in CLOCKS
    }
    return [
        Times(found, horizon, frozenset(n for n in found if barren(runs, entry, n)))
        for found, entry in zip(units, entries, strict=True)
    ]


def barren(runs: Runs, entry: Entry, number: float) -> bool:
    """Whether a replicate has no final run because every trial of its search was lost."""
    trials = [runs.rows[trial]["status"] for trial in entry.trials_of.get(number, ())]
    whole = bool(trials) and COMPLETED not in trials and UNFINISHED not in trials
    return whole and not entry.units.get(number)


def _seen(runs: Runs, workload: WorkloadRuns, row: int, target: float) -> Seen:
    """Look at the evaluations of a run with raw weights."""
    status = runs.rows[row]["status"]
    table = validation(runs, row, workload.metric)
    lost = status == DIVERGED
    if table is None:
        steps = runs.rows[row]["steps"]
        made = float(steps) if is_number(steps) else 0.0
        end = dict.fromkeys(CLOCKS, NAN if made else 0.0) | {"step": made}
        return Seen(dict.fromkeys(CLOCKS, math.inf), end, lost)
    values = table[workload.metric].astype(float)
    hit = values >= target if workload.maximise else values <= target
    end = {clock: float(table[clock][-1]) for clock in CLOCKS}
    if not hit.any():
        return Seen(dict.fromkeys(CLOCKS, math.inf), end, lost)
    first = int(np.argmax(hit))
    return Seen({clock: float(table[clock][first]) for clock in CLOCKS}, end, lost)
