# pyright: reportMissingTypeStubs=false
"""From run folders to everything that a report says: `analyse`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from sgdlab.analysis.audit import AUDIT_COLUMNS, Case, DeclaredPlan, audit, audit_rows
from sgdlab.analysis.budgets import BUDGET_COLUMNS, METRIC, budget_rows, budgets
from sgdlab.analysis.classical import classical
from sgdlab.analysis.comparison import COMPARISON_COLUMNS, comparison_row
from sgdlab.analysis.entries import TUNED, entries, tracks
from sgdlab.analysis.load import Runs, load
from sgdlab.analysis.pairs import PAIRWISE_COLUMNS, pair_rows, ranked, verdict_column
from sgdlab.analysis.result import Result
from sgdlab.analysis.sensitivity import SENSITIVITY_COLUMNS, sensitivity, sensitivity_rows
from sgdlab.analysis.solo_timing import SoloTiming, with_times
from sgdlab.analysis.statistics import Profile, performance_profile
from sgdlab.analysis.studies import Study, agreed, margin_of, of_rows, studies
from sgdlab.analysis.targets import Target, checked_target, choose
from sgdlab.analysis.times import times
from sgdlab.analysis.workloads import WorkloadRuns, contender, workloads
from sgdlab.results import DEFAULTS


@dataclass(frozen=True)
class Analysis:
    """All that a report says.

    Attributes:
        runs: Every run found; those that were stacked have the clock of runs alone, if any.
        results: A track of a workload each; the tuned one of a workload first.
        studies: The content of the ``study.yaml`` of comparisons, by name of the study.
        profile: Performance profile of the steps to target over workloads, where several have
            tuned results of the same contenders.
        profile_seconds: The profile of the seconds to target, where all of them were timed.
    """

    runs: Runs
    results: list[Result]
    studies: dict[str, Study] = field(default_factory=dict[str, Study])
    profile: Profile | None = None
    profile_seconds: Profile | None = None

    @property
    def comparison(self) -> pd.DataFrame:
        """The content of ``comparison.csv``."""
        return _frame([row for result in self.results for row in result.rows], COMPARISON_COLUMNS)

    @property
    def pairwise(self) -> pd.DataFrame:
        """The content of ``pairwise.csv``."""
        return _frame([pair for result in self.results for pair in result.pairs], PAIRWISE_COLUMNS)

    @property
    def budget(self) -> pd.DataFrame:
        """The content of ``budget.csv``."""
        rows = [row for r in self.results for row in budget_rows(r.workload, r.budgets)]
        return _frame(rows, BUDGET_COLUMNS)

    @property
    def sensitivity(self) -> pd.DataFrame:
        """The content of ``sensitivity.csv``."""
        rows = [
            row
            for result in self.results
            for row in sensitivity_rows(result.workload, METRIC, result.sensitivity)
        ]
        return _frame(rows, SENSITIVITY_COLUMNS)

    @property
    def audit(self) -> pd.DataFrame:
        """The content of ``audit.csv``."""
        rows: list[dict[str, Any]] = []
        for result in self.results:
            beside = f" ({DEFAULTS})" if result.track == DEFAULTS else ""
            rows += [r | {"workload": f"{r['workload']}{beside}"} for r in audit_rows(result.audit)]
        return _frame(rows, AUDIT_COLUMNS)


def analyse(
    roots: Sequence[Path],
    target: float | str | None = None,
    margin: float | str | None = None,
) -> Analysis:
    """Read the runs at or below ``roots`` and compare their contenders.

    Args:
        roots: Folders of runs, sweeps or comparisons.
        target: Value of the validation metric to time, or the name of a contender whose final
            runs' median it is; by default that of the study, else derived per workload.
        margin: Largest difference of the metric that does not matter, ``auto`` (one point of
            accuracy, none for other metrics); by default that of the study, else ``auto``.

    Raises:
        InputError: A root is missing or holds no run, or target or margin cannot be one.
    """
    runs, alone = with_times(load(roots))
    found = studies(runs)
    parts = workloads(runs)
    names = sorted({contender(runs, row) for part in parts for row in part.rows})
    given = checked_target(target, parts, names)
    results: list[Result] = []
    for part in parts:
        own = of_rows(runs, found, part.rows)
        wanted = checked_target(agreed(own, "target"), [part], names) if given is None else given
        limit = margin_of(margin, own, part.metric)
        results += _results(_Question(runs, alone, part, own, wanted, limit))
    steps, seconds = _profile(results, "steps"), _profile(results, "seconds")
    return Analysis(runs, results, found, steps, seconds)


@dataclass(frozen=True)
class _Question:
    runs: Runs
    alone: dict[int, SoloTiming]
    workload: WorkloadRuns
    studies: list[Study]
    target: float | str | None
    margin: float | None


def _results(case: _Question) -> list[Result]:
    """Return the results of a workload; the target of the first track is that of all."""
    results: list[Result] = []
    target: Target | None = None
    for track in tracks(case.runs, case.workload):
        results.append(_result(case, track, target))
        target = results[0].target
    return results


def _result(case: _Question, track: str, target: Target | None) -> Result:
    runs, workload = case.runs, case.workload
    best_first = ranked(runs, workload, entries(runs, workload, track))
    target = target or choose(runs, workload, best_first, case.target)
    when = times(runs, workload, best_first, target)
    rows = [
        comparison_row(runs, case.alone, workload, entry, target, seen, track)
        for entry, seen in zip(best_first, when or [None] * len(best_first), strict=True)
    ]
    pairs = pair_rows(runs, workload, best_first, when, case.margin, track)
    column = verdict_column(runs, best_first)
    bare = Result(workload, track, best_first, rows, pairs, column, target, margin=case.margin)
    return replace(bare, **_evidence(case, bare))


def _evidence(case: _Question, result: Result) -> dict[str, Any]:
    """Return the fields of a result that stand beside its pairs.

    The audit knows the plan of one study; runs of several have none that holds for all.
    """
    runs, alone, workload, entries = case.runs, case.alone, result.workload, result.entries
    plan = case.studies[0] if len(case.studies) == 1 else None
    known = runs, workload, entries, result.pairs, result.column
    found: dict[str, Any] = {
        "audit": audit(Case(*known, DeclaredPlan(plan))),
        "classical": classical(runs, alone, workload, entries, result.rows),
    }
    if result.track != DEFAULTS:
        found["sensitivity"] = sensitivity(runs, workload, entries, METRIC)
        found["budgets"] = budgets(runs, alone, workload, entries)
    return found


def _frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a table with exactly ``columns``; counts stay integers beside gaps."""
    # NaN alone differs from itself.
    cells = [[None if (cell := row.get(c)) != cell else cell for c in columns] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(columns), dtype=object)


def _profile(results: Sequence[Result], clock: Literal["steps", "seconds"]) -> Profile | None:
    """Return the profile of the median steps or seconds to target over workloads.

    It is of the tuned contenders that every workload with a target has; None where that leaves
    fewer than two of either, where nobody reached a target, or where a contender that did was not
    timed.
    """
    cases = [result for result in results if result.track == TUNED and result.target.value]
    tuned = [{entry.optimizer for entry in r.entries if entry.tuned} for r in cases]
    common = set[str].intersection(*tuned) if tuned else set[str]()
    if len(cases) < 2 or len(common) < 2:
        return None
    cost: dict[str, dict[str, float]] = {name: {} for name in sorted(common)}
    for case in cases:
        for row in (row for row in case.rows if row["optimizer"] in common):
            value = row[f"median_{clock}_to_target"]
            reached, timed = math.isfinite(row["median_steps_to_target"]), math.isfinite(value)
            if reached and not timed:
                return None
            cost[row["optimizer"]][case.workload.name] = value if timed else math.inf
    if not any(math.isfinite(value) for costs in cost.values() for value in costs.values()):
        return None
    return performance_profile(cost)
