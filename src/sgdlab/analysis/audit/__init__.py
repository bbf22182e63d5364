"""The fairness audit: what a hostile reviewer of a comparison would ask, answered from the files.

Questions are those of DeepOBS (Schneider et al. 2019), Choi et al. (2019), "On empirical
comparisons of optimizers for deep learning", Dodge et al. (2019), "Show your work", Schmidt et al.
(2021), "Descending through a crowded valley", Bouthillier et al. (2021), "Accounting for variance
in machine learning benchmarks", and AlgoPerf (Dahl et al. 2023).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sgdlab.analysis.audit import (
    conditions,
    environments,
    finals,
    schedules,
    searches,
    selection,
    spaces,
    verdicts,
)
from sgdlab.analysis.audit.check import AuditFinding, Case, Check, Environments
from sgdlab.analysis.audit.plan import DeclaredPlan
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import WorkloadRuns

__all__ = ["AUDIT_COLUMNS", "CHECKS", "Check", "audit", "audit_rows"]

AUDIT_COLUMNS = ("check", "status", "detail", "workload")
"""``audit.csv``: a row per check and workload; ``status`` is ``pass``, ``warn`` or ``fail``."""

CHECKS: dict[str, Callable[[Case], AuditFinding]] = {
    "number of units": finals.number_of_units,
    "gap against noise": verdicts.gap,
    "equal tuning budget": searches.budget,
    "equal units": finals.equal_units,
    "missing or failed runs": finals.missing_runs,
    "independent searches": searches.independent,
    "test set kept out of selection": selection.chosen_without_test,
    "verdict by the test set": selection.held_out,
    "winner is the best trial": selection.best_trial,
    "settings not chosen on reported seeds": selection.reported_seeds,
    "fresh seeds after tuning": selection.fresh_seeds,
    "paired seeds": selection.paired_seeds,
    "seeds make a difference": finals.seeds_matter,
    "best learning rate inside its range": spaces.rate_edge,
    "other settings inside their ranges": spaces.other_edges,
    "equal search spaces": spaces.alike,
    "enough trials": spaces.enough,
    "diverged trials": searches.diverged,
    "successive halving": searches.halving,
    "compared as tuned": conditions.as_tuned,
    "same conditions": conditions.same_conditions,
    "same work per step": conditions.same_work,
    "same horizon": schedules.same_horizon,
    "schedules at their end": schedules.finished,
    "length of warm-up": schedules.warmup,
    "schedule-free with a constant schedule": schedules.schedule_free,
    "workload not saturated": verdicts.ceiling,
    "same data": environments.data,
    "same code": environments.code,
    "same device": environments.devices,
    "same threads": environments.threads,
    "same engine": environments.engines,
}
"""Every check, by what a pass says; in the order of a report."""


def audit(
    runs: Runs,
    workload: WorkloadRuns,
    entries: Sequence[Entry],
    pairs: Sequence[Mapping[str, Any]],
    column: str,
    study: Mapping[str, Any] | None,
    environments: Environments,
) -> list[Check]:
    """Return every check of a workload and track, in one order; none is ever left out.

    A check that the files do not allow is ``warn`` with "not known: …"; one that has nothing to
    look at passes with "does not apply: …".

    Args:
        runs: Every run.
        workload: What is compared on.
        entries: What is compared, of one track.
        pairs: Rows of ``pairwise.csv`` of this workload and track.
        column: The metric of the verdicts.
        study: The content of ``study.yaml``; None for runs of no comparison.
        environments: Returns the content of ``environment.json`` of each of some rows.
    """
    if not entries:
        nothing = "there is no run to look at"
        return [Check(name, "warn", f"not known: {nothing}", workload.name) for name in CHECKS]
    case = Case(runs, workload, entries, pairs, column, DeclaredPlan(study), environments)
    return [Check(name, *check(case), workload.name) for name, check in CHECKS.items()]


def audit_rows(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Return checks as rows of ``audit.csv``."""
    return [{column: getattr(check, column) for column in AUDIT_COLUMNS} for check in checks]
