"""``pairwise.csv``: a row per pair of contenders and metric."""

import math
from collections.abc import Sequence
from typing import Any

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.statistics import Judgement, judge, judge_times
from sgdlab.analysis.targets import completed, numbers
from sgdlab.analysis.times import Times
from sgdlab.analysis.units import unit_values
from sgdlab.analysis.workloads import WorkloadRuns

Pair = dict[str, Any]

STEPS_TO_TARGET = "steps_to_target"

PAIRWISE_COLUMNS = (
    "first", "second", "metric", "n_pairs", "mean_difference", "ci_low", "ci_high", "p_value",
    "p_adjusted", "effect_size", "verdict", "seeds_needed", "p_wilcoxon", "p_wilcoxon_adjusted",
    "p_equivalence", "p_equivalence_adjusted", "margin", "unit", "note", "dataset", "model",
    "track",
)  # fmt: skip
"""``pairwise.csv``: differences are first − second of units that both have.

Intervals (95 % t), ``p_value``, ``p_wilcoxon`` and ``p_equivalence`` are for one pair alone; those
with ``_adjusted`` are Holm's over all pairs of one metric, workload and track, and the verdict
needs them (`sgdlab.analysis.statistics.judge`). The first metric of a workload is the primary one,
the others are exploratory: their verdicts are not adjusted for there being several metrics.

``effect_size`` is Cohen's d of the differences; ``seeds_needed`` counts units, replicates or seeds
as ``unit`` says, for 80 % power at the observed difference. ``steps_to_target`` is censored: its
difference is that of the Kaplan–Meier medians, its p-value the log-rank test's, and it has no
interval."""

_SECONDARY = ("test_loss", "best_val_loss", "final_val_metric")


def verdict_column(runs: Runs, entries: Sequence[Entry]) -> str:
    """Return the metric of the verdicts: ``test_metric`` when every completed run has it."""
    values = [
        value
        for entry in entries
        for value in numbers(runs, completed(runs, entry.chosen), "test_metric")
    ]
    tested = bool(values) and all(math.isfinite(value) for value in values)
    return "test_metric" if tested else "final_val_metric"


def ranked(runs: Runs, workload: WorkloadRuns, entries: Sequence[Entry]) -> list[Entry]:
    """Return the contenders, best mean over units first, those without a completed run last."""
    column = verdict_column(runs, entries)

    def place(entry: Entry) -> tuple[bool, float, str]:
        values = list(unit_values(runs, entry.units, column).values())
        if not values:
            return True, 0.0, entry.optimizer
        mean = math.fsum(values) / len(values)
        return False, -mean if workload.maximise else mean, entry.optimizer

    return sorted(entries, key=place)


def pair_rows(
    runs: Runs,
    workload: WorkloadRuns,
    entries: Sequence[Entry],
    times: Sequence[Times],
    margin: float | None,
    track: str,
) -> list[Pair]:
    """Return the rows of ``pairwise.csv`` of a workload: every pair, in the order given.

    Those of the verdict metric come first. ``margin`` is of the metric of the workload, so that
    equivalence is tested for its values only, not for losses and times.
    """
    primary = verdict_column(runs, entries)
    unit = "replicate" if any(entry.unit == "replicate" for entry in entries) else "seed"
    rows: list[Pair] = []
    for column in dict.fromkeys((primary, *_SECONDARY)):
        samples = [(entry.optimizer, unit_values(runs, entry.units, column)) for entry in entries]
        if column != primary and sum(bool(values) for _, values in samples) < 2:
            continue
        is_metric = not column.endswith("_loss")
        found = judge(
            samples,
            maximise=workload.maximise and is_metric,
            margin=margin if is_metric else None,
            unit=unit,
        )
        rows += [_row(each, column, margin if is_metric else None) for each in found]
    seen = [
        (entry.optimizer, known)
        for entry, when in zip(entries, times, strict=bool(times))
        if (known := when.observations("step"))
    ]
    if len(seen) > 1 and any(there for _, known in seen for _, there in known):
        rows += [_row(each, STEPS_TO_TARGET, None) for each in judge_times(seen)]
    whole = {"unit": unit, **workload.columns, "track": track}
    return [row | whole for row in rows]


def _row(found: Judgement, metric: str, margin: float | None) -> Pair:
    test = found.test
    return {
        "first": found.first,
        "second": found.second,
        "metric": metric,
        "n_pairs": test.n,
        "mean_difference": test.mean,
        "ci_low": test.ci_low,
        "ci_high": test.ci_high,
        "p_value": test.p,
        "p_adjusted": found.p_adjusted,
        "effect_size": test.effect_size,
        "verdict": found.verdict,
        "seeds_needed": found.seeds_needed,
        "p_wilcoxon": test.p_wilcoxon,
        "p_wilcoxon_adjusted": found.p_wilcoxon_adjusted,
        "p_equivalence": test.p_equivalence,
        "p_equivalence_adjusted": found.p_equivalence_adjusted,
        "margin": math.nan if margin is None else margin,
        "note": found.note or test.note,
    }
