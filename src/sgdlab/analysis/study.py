# pyright: reportMissingTypeStubs=false
"""From run folders to everything that a report says: `analyse`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from sgdlab.analysis.audit import AUDIT_COLUMNS, audit_rows
from sgdlab.analysis.audit.check import planned_name
from sgdlab.analysis.axis_lines import AXIS_COLUMNS, AxisLine, axis_lines
from sgdlab.analysis.budgets import BUDGET_COLUMNS, METRIC, budget_rows
from sgdlab.analysis.comparison import COMPARISON_COLUMNS, comparison_row
from sgdlab.analysis.entries import entries, tracks
from sgdlab.analysis.evidence import Question, evidence_of
from sgdlab.analysis.frames import frame
from sgdlab.analysis.hypothesis import NO_HYPOTHESIS, Hypothesis
from sgdlab.analysis.joint import EFFECT_COLUMNS, JOINT_COLUMNS, JointPair, joint_pairs
from sgdlab.analysis.load import Runs, load
from sgdlab.analysis.looks import WHENEVER, at_last_look, looks_of
from sgdlab.analysis.outside_target import is_outside, of_workload, resolved, told
from sgdlab.analysis.pairs import PAIRWISE_COLUMNS, pair_rows, ranked, verdict_column
from sgdlab.analysis.profiles import profile_of
from sgdlab.analysis.progress import SearchProgress, unfinished
from sgdlab.analysis.questions import questions
from sgdlab.analysis.result import Result
from sgdlab.analysis.sensitivity import SENSITIVITY_COLUMNS, sensitivity_rows
from sgdlab.analysis.solo_timing import with_times
from sgdlab.analysis.statistics import Profile
from sgdlab.analysis.studies import (
    Study,
    agreed,
    ingredients,
    margin_of,
    of_rows,
    studies,
)
from sgdlab.analysis.targets import Target, checked_target, choose
from sgdlab.analysis.times import times
from sgdlab.analysis.whole_units import of_track, whole_units
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.results import APART


@dataclass(frozen=True)
class Analysis:
    """All that a report says.

    Attributes:
        runs: Every run found; those that were stacked have the clock of runs alone, if any.
        results: A track of a workload each; the tuned one of a workload first.
        studies: The content of the ``study.yaml`` of comparisons, by name of the study.
        profile: Performance profile of the steps to target, over workloads.
        profile_seconds: That of the seconds, where all were timed.
        unfinished: Every search of the comparisons that have runs to come.
        together: What several workloads say of each pair.
        lines: Every pair along the axes of a comparison.
    """

    runs: Runs
    results: list[Result]
    studies: dict[str, Study] = field(default_factory=dict[str, Study])
    profile: Profile | None = None
    profile_seconds: Profile | None = None
    unfinished: list[SearchProgress] = field(default_factory=list[SearchProgress])
    together: list[JointPair] = field(default_factory=list[JointPair])
    lines: list[AxisLine] = field(default_factory=list[AxisLine])

    @property
    def comparison(self) -> pd.DataFrame:
        """The content of ``comparison.csv``."""
        return frame([row for result in self.results for row in result.rows], COMPARISON_COLUMNS)

    @property
    def pairwise(self) -> pd.DataFrame:
        """The content of ``pairwise.csv``."""
        return frame([pair for result in self.results for pair in result.pairs], PAIRWISE_COLUMNS)

    @property
    def budget(self) -> pd.DataFrame:
        """The content of ``budget.csv``."""
        rows = [row for r in self.results for row in budget_rows(r.workload, r.budgets)]
        return frame(rows, BUDGET_COLUMNS)

    @property
    def sensitivity(self) -> pd.DataFrame:
        """The content of ``sensitivity.csv``."""
        rows = [
            row for r in self.results for row in sensitivity_rows(r.workload, METRIC, r.sensitivity)
        ]
        return frame(rows, SENSITIVITY_COLUMNS)

    @property
    def joint(self) -> pd.DataFrame:
        """The content of ``joint.csv``; empty where there is one workload."""
        return frame([pair.row() for pair in self.together], JOINT_COLUMNS)

    @property
    def effects(self) -> pd.DataFrame:
        """The content of ``effects.csv``, likewise."""
        return frame([r for pair in self.together for r in pair.rows()], EFFECT_COLUMNS)

    @property
    def axes(self) -> pd.DataFrame:
        """The content of ``axes.csv``; empty without axes."""
        return frame([row for line in self.lines for row in line.rows()], AXIS_COLUMNS)

    @property
    def audit(self) -> pd.DataFrame:
        """The content of ``audit.csv``."""
        rows = [
            row | {"workload": row["workload"] + (f" ({r.track})" if r.track in APART else "")}
            for r in self.results
            for row in audit_rows(r.audit)
        ]
        return frame(rows, AUDIT_COLUMNS)


def analyse(
    roots: Sequence[Path],
    target: float | str | None = None,
    margin: float | str | None = None,
    by: Sequence[str] | None = None,
    hypothesis: Hypothesis = NO_HYPOTHESIS,
) -> Analysis:
    """Read the runs at or below ``roots`` and compare their contenders.

    Args:
        roots: Folders of runs, sweeps or comparisons.
        target: Value of the validation metric to time, or the name of a contender whose final
            runs' median it is, or ``study:PATH`` for what another, longer study reached; by
            default that of the study, else derived per workload.
        margin: Largest difference of the metric that does not matter, ``auto`` (one point of
            accuracy, none for other metrics); by default that of the study, else ``auto``.
        by: The settings whose values are compared; by default the optimizers, or what a sweep of
            one optimizer varied (`sgdlab.analysis.questions`).
        hypothesis: What is claimed of the contenders.

    Raises:
        InputError: A root is missing or holds no run, or target or margin cannot be one, or a
            setting of ``by`` does not vary.
    """
    runs = load(roots)
    found = studies(runs)
    return analyse_runs(runs, questions(runs, found, by), found, target, margin, hypothesis)


def analyse_runs(
    runs: Runs,
    parts: Sequence[WorkloadRuns],
    found: dict[str, Study],
    target: float | str | None = None,
    margin: float | str | None = None,
    hypothesis: Hypothesis = NO_HYPOTHESIS,
) -> Analysis:
    """Compare the contenders of runs that were read before.

    Args:
        runs: Every run.
        parts: What is compared.
        found: The content of ``study.yaml`` of comparisons, by name of the study.
        target: See `analyse`.
        margin: Likewise.
        hypothesis: See `analyse`.

    Raises:
        InputError: Target or margin cannot be one, or the hypothesis names no contender.
    """
    runs, alone = with_times(runs)
    names = sorted({part.label(runs, row) for part in parts for row in part.rows})
    origin = target if is_outside(target) else ""
    given = resolved(target, runs, parts)
    if not isinstance(given, Mapping):
        given = checked_target(given, parts, names)
    results: list[Result] = []
    progress = unfinished(runs, found)
    for part in hypothesis.of(parts, names):
        own = of_rows(runs, found, part.rows)
        part = replace(part, ingredients=ingredients(own))
        planned = of_workload(agreed(own, "target") if given is None else given, runs, part)
        wanted = checked_target(planned, [part], names) if given is None else planned
        source = origin or agreed(own, "target_from")
        limit = margin_of(margin, own, part.metric)
        looks = WHENEVER if hypothesis.anytime else looks_of(own)
        case = Question(runs, alone, part, own, wanted, source, limit, hypothesis, looks, progress)
        results += _results(case)
    profiles = profile_of(results, "steps"), profile_of(results, "seconds")
    together, lines = joint_pairs(runs, results), axis_lines(runs, results)
    return Analysis(runs, results, found, *profiles, progress, together, lines)


def _results(case: Question) -> list[Result]:
    """Return the results of a workload; the target of the first track is that of all."""
    results: list[Result] = []
    target: Target | None = None
    for track in tracks(case.runs, case.workload):
        results.append(_result(case, track, target))
        target = results[0].target
    return results


def _result(case: Question, track: str, target: Target | None) -> Result:
    runs, workload = case.runs, case.workload
    found = at_last_look(runs, entries(runs, workload, track), case.studies, case.looks)
    names = [str(study.get("study")) for study in case.studies]
    where = planned_name(runs, workload), workload.point
    if progress := of_track(case.progress, names, *where, track):
        found = whole_units(runs, found, progress, track)
    best_first = ranked(runs, workload, found)
    target = target or told(choose(runs, workload, best_first, case.target), case.target_from)
    when = times(runs, workload, best_first, target)
    rows = [
        comparison_row(runs, case.alone, workload, entry, target, seen, track)
        for entry, seen in zip(best_first, when or [None] * len(best_first), strict=True)
    ]
    pairs = pair_rows(runs, workload, best_first, when, case.margin, track, case.looks)
    column, claim = verdict_column(runs, best_first), case.hypothesis
    bare = Result(
        workload, track, best_first, rows, pairs, column, target, case.margin,
        claims=claim.reached(runs, workload, best_first), goal=claim.target, sigma=claim.sigma,
        design=case.looks.design, progress=progress,
    )  # fmt: skip
    return replace(bare, **evidence_of(case, bare))
