"""The tables behind the verdicts: pairs, audit, basins, as text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sgdlab.analysis import Result, words
from sgdlab.analysis.statistics import UNDECIDED
from sgdlab.checks import is_number
from sgdlab.report.document import Table
from sgdlab.results import COMPLETED

_ORDER = ("fail", "warn", "pass")

_SECONDARY = {
    "test_metric": "test {metric}",
    "test_loss": "test loss",
    "best_val_loss": "best validation loss",
    "final_val_metric": "final validation {metric}",
    "steps_to_target": "steps to target",
}


def pairs_note(result: Result) -> str:
    """Return how to read the pairwise tests."""
    unit = result.primary[0].get("unit", "seed") if result.primary else "seed"
    paired = f"of what both completed, paired by {unit} (same initial weights, same batches)"
    if logged := result.workload.logged:
        paired = f"paired by {logged.unit}" if logged.unit else "of independent runs (Welch)"
    text = (
        f"Differences are first − second, {paired}. Intervals are 95 % and for one pair alone; "
        f"the adjusted p is {_over(result)}, and a verdict needs it below 0.05. Effect size: "
        f"mean difference over its standard deviation. {unit.capitalize()}s needed: to resolve "
        "a gap as large as the one observed, at 80 % power."
    )
    if result.margin is not None:
        margin = words.difference(result.margin, result.workload.metric).lstrip("+")
        text += f" Equivalent: two one-sided tests say that the gap is less than {margin}."
    if unit == "seed" and not logged:
        text += " Seeds are the only replication: the luck of tuning is not in these numbers."
    return text


def _over(result: Result) -> str:
    """Say over what p-values are adjusted."""
    if len(result.families) > 1:
        return "Holm's over the pairs of one question"
    if len(result.primary) == 1:
        return "that of the only pair of the workload"
    return f"Holm's over all {len(result.primary):,} pairs of the workload"


def pairs(result: Result) -> Table:
    """Return the pairwise tests of the metric of the verdicts, with the question of each."""
    metric = result.workload.metric
    title = f"Difference in {result.metric_name}"
    shown = _pairs(result.primary, title + (" (points)" if metric == "accuracy" else ""), metric)
    if len(result.families) < 2:
        return shown
    rows = [[pair["family"], *row] for pair, row in zip(result.primary, shown.rows, strict=True)]
    return replace(shown, columns=["Question", *shown.columns], rows=rows)


def others(result: Result) -> list[Table]:
    """Return the pairwise tests of the other metrics, a table each."""
    names = list(dict.fromkeys(pair["metric"] for pair in result.pairs))
    tables: list[Table] = []
    for name in names:
        if name == result.column:
            continue
        rows = [pair for pair in result.pairs if pair["metric"] == name and pair.get("family", "-")]
        metric = result.workload.metric if name in ("test_metric", "final_val_metric") else name
        shown = _SECONDARY.get(name, name).format(metric=result.workload.metric)
        points = " (points)" if metric == "accuracy" else ""
        tables.append(_pairs(rows, f"Difference in {shown}{points}", metric))
    return tables


def _pairs(rows: Sequence[Mapping[str, Any]], title: str, metric: str) -> Table:
    unit = f"{rows[0].get('unit') or 'unit'}s needed".capitalize() if rows else "Units needed"
    columns = [
        "First", "Second", "Pairs", title, "95 % CI", "p", "Adjusted p", "Wilcoxon, adjusted",
        "Effect size", unit, "Verdict",
    ]  # fmt: skip
    cells: list[list[str]] = []
    strong: set[int] = set()
    for number, pair in enumerate(rows):
        low, high = (words.difference(pair[e], metric, unit=False) for e in ("ci_low", "ci_high"))
        if pair["verdict"] != UNDECIDED:
            strong.add(number)
        cells.append(
            [
                pair["first"],
                pair["second"],
                str(pair["n_pairs"]),
                words.difference(pair["mean_difference"], metric, unit=False),
                f"{low} to {high}" if is_number(pair["ci_low"]) else words.NOTHING,
                words.p_value(pair["p_value"]),
                words.p_value(pair["p_adjusted"]),
                words.p_value(pair.get("p_wilcoxon_adjusted")),
                _effect(pair.get("effect_size")),
                words.number(pair.get("seeds_needed")),
                pair["verdict"] + (f" ({pair['note']})" if pair["note"] else ""),
            ]
        )
    numeric = frozenset(columns[2:10])
    return Table(columns, cells, numeric=numeric, strong=frozenset(strong))


def _effect(value: float | None) -> str:
    """Return an effect size: one without a spread to speak of as a whole number."""
    if value is not None and math.isfinite(value) and abs(value) >= 100:
        return words.number(round(value))
    return words.number(value, 2)


def audit(result: Result) -> Table:
    """Return the checks of a workload, what failed first."""
    checks = sorted(result.audit, key=lambda check: _ORDER.index(check.status))
    rows = [[check.status, check.check, check.detail] for check in checks]
    columns = ["Result", "Check", "Evidence"]
    return Table(columns, rows, status="Result", wide=frozenset({"Check", "Evidence"}))


def audit_counts(result: Result) -> str:
    """Return ``1 fail, 2 warn and 9 pass``."""
    states = [check.status for check in result.audit]
    return words.listing([f"{states.count(s)} {s}" for s in _ORDER if s in states])


def _lines(result: Result) -> str:
    """Return what tells the lines of the learning rate apart."""
    return ", ".join(key for key in result.workload.by if key != "lr") or "Optimizer"


def basins(result: Result) -> Table | None:
    """Return how forgiving each optimizer is about its learning rate; None without a basin."""
    metric = result.workload.metric
    rows: list[list[str]] = []
    for item in result.sensitivity:
        found = item.basin
        done = sum(status == COMPLETED for _, _, status in item.points)
        trials = f"{done} / {len(item.points)}"
        if found is None:
            rows.append([item.optimizer, trials, *[words.NOTHING] * 4])
            continue
        low, high = words.number(found.low, 2), words.number(found.high, 2)
        ends = [f"≤ {low}" if found.open_low else low, f"≥ {high}" if found.open_high else high]
        wide = words.number(found.decades, 2)
        beyond = found.open_low or found.open_high
        rows.append(
            [
                item.optimizer, trials, words.number(found.best_lr, 3),
                words.metric(found.best, metric), f"{ends[0]} to {ends[1]}",
                f"≥ {wide}" if beyond else wide,
            ]
        )  # fmt: skip
    tolerances = [item.tolerance for item in result.sensitivity if item.basin is not None]
    if not tolerances:
        return None
    tolerance = max(tolerances)
    shown = words.difference(tolerance, metric).lstrip("+")
    names = ["Completed", "Best lr tried", "Its result", "Basin of lr", "Decades"]
    columns = [_lines(result), *names]
    caption = (
        f"How forgiving is the learning rate? The basin is where the result is within {shown} of "
        "the optimizer's own best one; ≤ and ≥ say that it reaches the end of what was tried."
    )
    return Table(columns, rows, caption, numeric=frozenset(columns[1:]))
