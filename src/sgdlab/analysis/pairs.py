"""``pairwise.csv``: a row per pair of contenders and metric."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.families import families
from sgdlab.analysis.load import Runs
from sgdlab.analysis.looks import at_look
from sgdlab.analysis.splits import overlap_of
from sgdlab.analysis.statistics import (
    FIXED,
    ONE_LOOK,
    Judgement,
    Looks,
    expected_maximum,
    joined,
    judge,
    judge_times,
    not_corrected,
)
from sgdlab.analysis.targets import completed, numbers
from sgdlab.analysis.times import Times
from sgdlab.analysis.units import REPLICATE, RUN, SEED, unit_values
from sgdlab.analysis.workloads import WorkloadRuns

Pair = dict[str, Any]

STEPS_TO_TARGET = "steps_to_target"

PAIRWISE_COLUMNS = (
    "first", "second", "metric", "n_pairs", "mean_difference", "ci_low", "ci_high", "p_value",
    "p_adjusted", "effect_size", "verdict", "seeds_needed", "p_wilcoxon", "p_wilcoxon_adjusted",
    "p_equivalence", "p_equivalence_adjusted", "margin", "unit", "note", "dataset", "model",
    "track", "family", "held", "by", "attempts", "by_chance", "looks", "design",
)  # fmt: skip
"""``pairwise.csv``: differences are first − second of units that both have. The first metric of a
workload is the primary one, the others are exploratory: their verdicts are not adjusted for there
being several metrics. ``steps_to_target`` is censored: its difference is that of the Kaplan–Meier
medians, its p-value the log-rank test's, and it has no interval.

Columns:
    first, second: The two contenders.
    metric: The column of ``runs.csv`` that is compared, or ``steps_to_target``.
    n_pairs: The units that both have.
    mean_difference: The mean of first − second, in units of the metric.
    ci_low, ci_high: Its 95 % t interval, for this pair alone.
    p_value, p_wilcoxon: Of no difference, by the t-test and by signed ranks; for this pair alone.
    p_equivalence: Of a difference beyond ± ``margin``; for this pair alone.
    p_adjusted, p_wilcoxon_adjusted, p_equivalence_adjusted: Holm's over all pairs of one family,
        metric, workload and track; the verdict needs them (`sgdlab.analysis.statistics.judge`).
    effect_size: Cohen's d of the differences: mean over standard deviation.
    verdict: ``first better``, ``second better``, ``equivalent`` or ``undecided``.
    seeds_needed: Units (replicates or seeds, as ``unit`` says) for 80 % power at a true difference
        as large as the observed one.
    margin: What counts as equivalent, in units of the metric.
    unit: What counts as one observation: ``replicate``, ``seed`` or ``run``.
    note: What a reader has to know beside it.
    family: The question that the pair answers (`sgdlab.analysis.families`); a pair without one is
        not judged.
    attempts: Of how many attempts the difference is the best: ``p_adjusted`` is corrected for them.
    by_chance: How large the best of so many is expected to be without an effect.
    looks: The looks at the verdict, this one included; empty where they are not known.
    design: ``fixed`` for one look, else ``planned`` or ``anytime``: p-values and intervals hold
        over all looks (`sgdlab.analysis.statistics.looks`), but those of times, which note it.
"""

_SPLITS_OVERLAP = "not corrected for splits that overlap"

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
    looks: Looks = ONE_LOOK,
) -> list[Pair]:
    """Return the rows of ``pairwise.csv`` of a workload: every pair, in the order given.

    Those of the verdict metric come first. ``margin`` is of the metric of the workload, so that
    equivalence is tested for its values only, not for losses and times.
    """
    primary = verdict_column(runs, entries)
    kinds = {entry.unit for entry in entries}
    unit = REPLICATE if REPLICATE in kinds else RUN if RUN in kinds else SEED
    rows: list[Pair] = []
    of = families(runs, workload, entries)
    losses = {runs.loss_names[row] for entry in entries for row in entry.chosen}
    for column in dict.fromkeys((primary, *_SECONDARY)):
        if column.endswith("_loss") and len(losses) > 1:
            continue  # differences of values that mean different things
        samples = [(entry.optimizer, unit_values(runs, entry.units, column)) for entry in entries]
        earlier = [
            [(e.optimizer, unit_values(runs, at_look(runs, e.units, n), column)) for e in entries]
            for n in looks.made[:-1]
        ]
        if column != primary and sum(bool(values) for _, values in samples) < 2:
            continue
        is_metric = not column.endswith("_loss")
        found = judge(
            samples,
            maximise=workload.maximise and is_metric,
            margin=margin if is_metric else None,
            unit=unit,
            bounds=workload.bounds if is_metric else (-math.inf, math.inf),
            families=of,
            paired=unit != RUN,
            attempts=workload.attempts,
            baseline=workload.baseline,
            overlap=overlap_of(runs, entries, column),
            looks=looks,
            earlier=earlier,
        )
        chance = expected_maximum(workload.attempts) if workload.attempts > 1 else math.nan
        rows += [
            _row(each, column, margin if is_metric else None)
            | {"attempts": workload.attempts, "by_chance": chance * each.test.error}
            for each in found
        ]
    seen = [
        (entry.optimizer, known)
        for entry, when in zip(entries, times, strict=bool(times))
        if (known := when.observations("step"))
    ]
    if len(seen) > 1 and any(there for _, known in seen for _, there in known):
        found = judge_times(seen, of)
        overlap = overlap_of(runs, entries, "val_loss")
        lacks = joined([not_corrected(looks.design), _SPLITS_OVERLAP if overlap else ""])
        found = [replace(each, note=joined([each.note, lacks])) for each in found]
        rows += [_row(each, STEPS_TO_TARGET, None) for each in found]
    made = len(looks.made) or (1 if looks.design == FIXED else math.nan)
    whole = {"unit": unit, **workload.columns, "track": track}
    whole |= {"looks": made, "design": looks.design}
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
        "family": found.family,
        "error": test.error,
    }
