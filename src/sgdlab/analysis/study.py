# pyright: reportMissingTypeStubs=false
"""From run folders to everything that a report says: `analyse`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from sgdlab.analysis import evidence
from sgdlab.analysis.audit import AUDIT_COLUMNS, Check
from sgdlab.analysis.budgets import BUDGET_COLUMNS, BudgetCurve, budget_rows
from sgdlab.analysis.comparison import COMPARISON_COLUMNS, comparison_row
from sgdlab.analysis.entries import Entry, entries, tracks
from sgdlab.analysis.load import Runs, load
from sgdlab.analysis.pairs import PAIRWISE_COLUMNS, pair_rows, ranked, verdict_column
from sgdlab.analysis.profiles import profile
from sgdlab.analysis.sensitivity import SENSITIVITY_COLUMNS, Sensitivity, sensitivity_rows
from sgdlab.analysis.solo_timing import SoloTiming, with_times
from sgdlab.analysis.statistics import Profile
from sgdlab.analysis.studies import Study, agreed, margin_of, of_rows, studies
from sgdlab.analysis.tables import frame
from sgdlab.analysis.targets import Target, checked_target, choose
from sgdlab.analysis.times import times
from sgdlab.analysis.workloads import WorkloadRuns, contender, workloads


@dataclass(frozen=True)
class Result:
    """One track of one workload, analysed.

    Attributes:
        workload: What was compared on.
        track: ``tuned``, ``defaults``, or empty for runs without phases.
        entries: The contenders, best first.
        rows: Their rows of ``comparison.csv``, in the same order.
        pairs: The rows of ``pairwise.csv``: those of ``column`` first, then secondary metrics.
        column: The metric of the verdicts.
        target: The value that runs are timed to; that of the tuned track holds for the other, too.
        margin: The largest difference that does not matter; None: equivalence is not tested.
        answer: All this in words.
        audit: What speaks for and against the comparison being fair.
        sensitivity: The tuning metric against the learning rate, of the contenders tuned.
        budgets: What a tuning budget buys, of the contenders tuned.
        classical: SGD against Adam in the terms of the textbooks, where both were compared.
    """

    workload: WorkloadRuns
    track: str
    entries: list[Entry]
    rows: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    column: str
    target: Target
    answer: Any
    audit: list[Check] = field(default_factory=list[Check])
    sensitivity: list[Sensitivity] = field(default_factory=list[Sensitivity])
    budgets: list[BudgetCurve] = field(default_factory=list[BudgetCurve])
    classical: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    margin: float | None = None

    @property
    def primary(self) -> list[dict[str, Any]]:
        """The pairs of the metric of the verdicts."""
        return [pair for pair in self.pairs if pair["metric"] == self.column]


@dataclass(frozen=True)
class Analysis:
    """All that a report says.

    Attributes:
        runs: Every run found; those that were stacked have the clock of runs alone, if any.
        results: A track of a workload each; the tuned one of a workload first.
        nowhere: Rows of runs whose files do not say what they are.
        studies: By name, the content of the ``study.yaml`` of comparisons.
        profile: Performance profile of the steps to target over workloads, where several have
            tuned results of the same contenders.
        profile_seconds: That of the seconds to target, where all of them were timed.
    """

    runs: Runs
    results: list[Result]
    nowhere: list[int]
    studies: dict[str, Study] = field(default_factory=dict[str, Study])
    profile: Profile | None = None
    profile_seconds: Profile | None = None

    @property
    def comparison(self) -> pd.DataFrame:
        """``comparison.csv``."""
        return frame([row for result in self.results for row in result.rows], COMPARISON_COLUMNS)

    @property
    def pairwise(self) -> pd.DataFrame:
        """``pairwise.csv``."""
        return frame([pair for result in self.results for pair in result.pairs], PAIRWISE_COLUMNS)

    @property
    def budget(self) -> pd.DataFrame:
        """``budget.csv``."""
        rows = [row for r in self.results for row in budget_rows(r.workload, r.budgets)]
        return frame(rows, BUDGET_COLUMNS)

    @property
    def sensitivity(self) -> pd.DataFrame:
        """``sensitivity.csv``."""
        rows = [
            row
            for result in self.results
            for row in sensitivity_rows(result.workload, evidence.TUNING_METRIC, result.sensitivity)
        ]
        return frame(rows, SENSITIVITY_COLUMNS)

    @property
    def audit(self) -> pd.DataFrame:
        """``audit.csv``."""
        rows = [row for result in self.results for row in evidence.check_rows(result)]
        return frame(rows, AUDIT_COLUMNS)

    @property
    def verdicts(self) -> list[str]:
        """The answer in words, one text per workload and track."""
        if self.results:
            return [result.answer.verdict for result in self.results]
        return ["Nothing can be compared: no run says which optimizer, model and data it is of."]


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
    parts, nowhere = workloads(runs)
    names = sorted({contender(runs, row) for part in parts for row in part.rows})
    given = checked_target(target, parts, names)
    results: list[Result] = []
    for part in parts:
        own = of_rows(runs, found, part.rows)
        wanted = checked_target(agreed(own, "target"), [part], names) if given is None else given
        limit = margin_of(margin, own, part.metric)
        results += _results(_Case(runs, alone, part, own, wanted, limit))
    steps, seconds = profile(results, "steps"), profile(results, "seconds")
    return Analysis(runs, results, nowhere, found, steps, seconds)


@dataclass(frozen=True)
class _Case:
    runs: Runs
    alone: dict[int, SoloTiming]
    workload: WorkloadRuns
    studies: list[Study]
    target: float | str | None
    margin: float | None


def _results(case: _Case) -> list[Result]:
    """Return the results of a workload; the target of the first track is that of all."""
    results: list[Result] = []
    target: Target | None = None
    for track in tracks(case.runs, case.workload):
        results.append(_result(case, track, target))
        target = results[0].target
    return results


def _result(case: _Case, track: str, target: Target | None) -> Result:
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
    from sgdlab.report.verdict.verdicts import answer

    said = answer(runs, workload, track, best_first, rows, pairs, column, target, case.margin)
    bare = Result(
        workload, track, best_first, rows, pairs, column, target, said, margin=case.margin
    )
    return replace(bare, **evidence.collect(runs, case.alone, bare, case.studies))
