"""What stands beside the verdicts of a track: the audit, what tuning bought, how rates forgive."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sgdlab.analysis.audit import audit, audit_rows
from sgdlab.analysis.budgets import METRIC, budgets
from sgdlab.analysis.classical import classical
from sgdlab.analysis.environments import environments
from sgdlab.analysis.load import Runs
from sgdlab.analysis.sensitivity import sensitivity
from sgdlab.analysis.solo_timing import SoloTiming
from sgdlab.analysis.studies import Study
from sgdlab.results import DEFAULTS

if TYPE_CHECKING:
    from sgdlab.analysis.study import Result

TUNING_METRIC = METRIC
"""What budgets and sensitivities are of: the validation metric at the end of a trial."""


def collect(
    runs: Runs, alone: dict[int, SoloTiming], result: "Result", studies: Sequence[Study]
) -> dict[str, Any]:
    """Return the fields of a result that stand beside its verdict.

    The audit knows the plan of one study; runs of several have none that holds for all.
    """
    workload, entries = result.workload, result.entries
    plan = studies[0] if len(studies) == 1 else None
    found: dict[str, Any] = {
        "audit": audit(
            runs, workload, entries, result.pairs, result.column, plan, partial(environments, runs)
        ),
        "classical": classical(runs, alone, workload, entries, result.rows),
    }
    if result.track != DEFAULTS:
        found["sensitivity"] = sensitivity(runs, workload, entries, TUNING_METRIC)
        found["budgets"] = budgets(runs, alone, workload, entries)
    return found


def check_rows(result: "Result") -> list[dict[str, Any]]:
    """Return the rows of ``audit.csv`` of a result; the defaults-only track is named beside."""
    beside = f" ({DEFAULTS})" if result.track == DEFAULTS else ""
    return [row | {"workload": f"{row['workload']}{beside}"} for row in audit_rows(result.audit)]
