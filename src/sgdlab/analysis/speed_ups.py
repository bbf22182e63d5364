# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Speed-up over a reference: how much sooner others reach the loss that it reaches at its end."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.settings import seed_of
from sgdlab.analysis.splits import overlap_of
from sgdlab.analysis.statistics import FIXED, joined, not_corrected
from sgdlab.analysis.statistics.speed_up import SpeedUp, speed_up
from sgdlab.analysis.targets import CLOCKS, Target, completed, validation
from sgdlab.analysis.units import RUN
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.results import DIVERGED, Columns

Floats = NDArray[np.float64]

SPEED_UP_COLUMNS = (
    "dataset", "model", "track", "optimizer", "reference", "column", "clock", "n", "reached",
    "ratio", "low", "high", "p", "note",
)  # fmt: skip
"""``speedup.csv``: a row per contender and clock: how many times sooner it arrives.

Columns:
    reference: The contender whose end is the goal.
    column: What is reached: the validation loss, else the metric.
    clock: ``step``, ``examples`` or ``train_seconds``: what the time is counted in.
"""


def speed_ups(
    runs: Runs,
    workload: WorkloadRuns,
    entries: Sequence[Entry],
    target: Target,
    track: str,
    design: str = FIXED,
) -> list[dict[str, Any]]:
    """Return the rows of ``speedup.csv`` of a workload; empty where runs are no pairs.

    In each pair of runs of a unit the goal is the validation loss (else the metric) that the
    reference reaches at its end. Both are timed to where their curve, linear between evaluations,
    first is as good; a unit of several runs has the geometric mean of its ratios, and has not
    arrived unless all have. A run that diverged never will: it counts as not arrived when the
    reference ended, if it ended before.

    Args:
        runs: Every run.
        workload: What is compared on.
        entries: The contenders, best first.
        target: Its reference is the one here, unless there is a baseline; without either it is the
            last of those that have a completed run, since most others reach what that reaches.
        track: The track, for the rows.
        design: How often one looks: intervals and p-values are of one look, and say so.
    """
    alive = [entry for entry in entries if completed(runs, entry.chosen)]
    if len(alive) < 2 or any(entry.unit == RUN for entry in alive):
        return []
    reference = workload.baseline or target.reference
    named = [entry for entry in alive if entry.optimizer == reference]
    if reference and not named:
        return []
    base = named[0] if named else alive[-1]
    column = _column(runs, workload, base)
    rows: list[dict[str, Any]] = []
    for entry in alive:
        if entry is base:
            continue
        for clock in CLOCKS:
            found = _speed_up(runs, base, entry, column, clock, workload)
            if found is not None:
                told = {c: getattr(found, c) for c in SPEED_UP_COLUMNS[-7:]}
                told["note"] = joined([found.note, not_corrected(design)])
                rows.append(
                    {
                        **{key: workload.columns[key] for key in ("dataset", "model")},
                        "track": track, "optimizer": entry.optimizer, "reference": base.optimizer,
                        "column": column, "clock": clock, **told,
                    }
                )  # fmt: skip
    return rows


def _column(runs: Runs, workload: WorkloadRuns, base: Entry) -> str:
    """Return what is reached: the loss, where the reference has it at all."""
    tables = [validation(runs, row, "loss") for row in completed(runs, base.chosen)]
    return "loss" if tables and all(t is not None for t in tables) else workload.metric


def _speed_up(
    runs: Runs, base: Entry, entry: Entry, column: str, clock: str, workload: WorkloadRuns
) -> SpeedUp | None:
    """Return the speed-up by a clock; None where it did not run in all."""
    maximise = workload.maximise and column != "loss"
    first: list[float] = []
    second: list[float] = []
    reached: list[bool] = []
    for unit in sorted(base.units.keys() & entry.units.keys()):
        whole = set(completed(runs, base.units[unit]))
        theirs = _by_seed(runs, [row for row in base.units[unit] if row in whole])
        ours = _by_seed(runs, entry.units[unit])
        pairs: list[tuple[float, float, bool]] = []
        for seed in sorted(theirs.keys() & ours.keys()):
            goal = validation(runs, theirs[seed], column)
            table = validation(runs, ours[seed], column)
            if goal is None or table is None:
                continue
            lost = runs.rows[ours[seed]]["status"] == DIVERGED
            pairs.append(_pair(goal, table, column, clock, maximise, lost))
        if not pairs:
            continue
        if any(not (0 < a < math.inf and 0 < b < math.inf) for a, b, _ in pairs):
            return None
        first.append(math.exp(sum(math.log(a) for a, _, _ in pairs) / len(pairs)))
        second.append(math.exp(sum(math.log(b) for _, b, _ in pairs) / len(pairs)))
        reached.append(all(there for _, _, there in pairs))
    if not first:
        return None
    overlap = overlap_of(runs, [base, entry], column)
    return speed_up(first, second, reached, entry.unit, overlap)


def mutual_log_ratios(
    runs: Runs, workload: WorkloadRuns, one: Entry, other: Entry, clock: str = "step"
) -> list[float]:
    """Return ``log T_other − log T_one`` of every unit: how much sooner the one arrives.

    The goal is the worse of the values (validation loss, else the metric) that the two reach at
    their ends, so that both arrive, and the ratio of two contenders is the inverse of that seen
    from the other. Units of which either has no completed run have none.
    """
    column = _column(runs, workload, one)
    sign = -1.0 if workload.maximise and column != "loss" else 1.0
    found: list[float] = []
    for unit in sorted(one.units.keys() & other.units.keys()):
        ours = _by_seed(runs, completed(runs, one.units[unit]))
        theirs = _by_seed(runs, completed(runs, other.units[unit]))
        ratios: list[float] = []
        for seed in sorted(ours.keys() & theirs.keys()):
            tables = [validation(runs, row[seed], column) for row in (ours, theirs)]
            if tables[0] is None or tables[1] is None:
                continue
            curves = [(table[clock], sign * table[column]) for table in tables if table]
            goal = max(float(values[-1]) for _, values in curves)
            mine, its = (first_passage(when, values, goal)[0] for when, values in curves)
            if 0 < mine < math.inf and 0 < its < math.inf:
                ratios.append(math.log(its / mine))
        if ratios:
            found.append(math.fsum(ratios) / len(ratios))
    return found


def _by_seed(runs: Runs, rows: Sequence[int]) -> Mapping[float, int]:
    return {seed_of(runs, row): row for row in rows}


def _pair(
    goal: Columns, table: Columns, column: str, clock: str, maximise: bool, lost: bool
) -> tuple[float, float, bool]:
    sign = -1.0 if maximise else 1.0
    value = sign * float(goal[column][-1])
    reference, _ = first_passage(goal[clock], sign * goal[column], value)
    time, there = first_passage(table[clock], sign * table[column], value)
    if lost and not there:
        time = max(time, float(goal[clock][-1]))
    return reference, time, there


def first_passage(clock: Floats, values: Floats, goal: float) -> tuple[float, bool]:
    """Return when a curve, linear between its points, first is at or below a goal.

    Returns:
        The time and True; else the last time and False. What is there at the first point, or
        before the clock has moved, has the first time that is above 0.
    """
    hit = values <= goal
    if not hit.any():
        return float(clock[-1]), False
    place = int(np.argmax(hit))
    moved = clock[clock > 0]
    least = float(moved[0]) if len(moved) else math.nan
    if place == 0 or not math.isfinite(values[place - 1]):
        return max(float(clock[place]), least), True
    above, below = float(values[place - 1]), float(values[place])
    part = (above - goal) / (above - below)
    start, end = float(clock[place - 1]), float(clock[place])
    time = start + part * (end - start)
    return (time if time > 0 else least), True
