"""What stands beside the pairs of a result: its audit, speed-ups, rates and budgets."""

from dataclasses import dataclass
from typing import Any

from sgdlab.analysis.audit import Case, DeclaredPlan, audit
from sgdlab.analysis.audit.check import planned_name
from sgdlab.analysis.budgets import METRIC, budgets
from sgdlab.analysis.classical import classical
from sgdlab.analysis.hypothesis import Hypothesis
from sgdlab.analysis.load import Runs
from sgdlab.analysis.progress import SearchProgress
from sgdlab.analysis.rate_lines import rate_lines
from sgdlab.analysis.result import Result
from sgdlab.analysis.solo_timing import SoloTiming
from sgdlab.analysis.speed_ups import speed_ups
from sgdlab.analysis.statistics import Looks
from sgdlab.analysis.studies import Study, drawn_at_random
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.results import APART


@dataclass(frozen=True)
class Question:
    """A workload, and what is asked of its runs."""

    runs: Runs
    alone: dict[int, SoloTiming]
    workload: WorkloadRuns
    studies: list[Study]
    target: float | str | None
    target_from: object
    margin: float | None
    hypothesis: Hypothesis
    looks: Looks
    progress: list[SearchProgress]


def evidence_of(case: Question, result: Result) -> dict[str, Any]:
    """Return the fields of a result that stand beside its pairs.

    The audit knows the plan of one study; runs of several have none that holds for all.
    """
    runs, alone, workload, entries = case.runs, case.alone, result.workload, result.entries
    by, found = workload.by, dict[str, Any]()
    plan = case.studies[0] if len(case.studies) == 1 and not by else None
    # Of a comparison the audit looks at what it declared as a whole, not at a part of it.
    if not (by and case.studies):
        declared = DeclaredPlan(plan, by, planned_name(runs, workload))
        found["audit"] = audit(Case(runs, workload, entries, result.pairs, result.column, declared))
    found["speed_ups"] = speed_ups(
        runs, workload, entries, result.target, result.track, result.design
    )
    if workload.logged:
        return found
    if not by:
        found["classical"] = classical(runs, alone, workload, entries, result.rows)
    if result.track not in APART:
        found["sensitivity"] = rate_lines(runs, workload, entries, METRIC)
        found["budgets"] = budgets(runs, alone, workload, entries, drawn_at_random(plan))
    return found
