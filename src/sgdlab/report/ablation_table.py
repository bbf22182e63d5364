# pyright: reportMissingTypeStubs=false
"""What each ingredient of a recipe does, left out and alone, as a table and as ``ablation.csv``."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from sgdlab.analysis import Analysis, Result, words
from sgdlab.report.document import Table
from sgdlab.report.verdict.ablated import verdict_on
from sgdlab.report.verdict.phrases import p_equals
from sgdlab.results.ablation import ALONE, FULL, LEFT_OUT, NONE, variant_alone, without

ABLATION_COLUMNS = (
    "ingredient", "question", "gain", "ci_low", "ci_high", "p_value", "p_adjusted", "n_pairs",
    "units_needed", "verdict", "metric", "dataset", "model", "track",
)  # fmt: skip
"""``ablation.csv``: a row per ingredient and question.

Columns:
    ingredient: What the recipe is with and without.
    question: Left out of the recipe, or alone.
    gain: The mean over paired units of the metric with the ingredient − without it.
    ci_low, ci_high: Its 95 % interval.
    p_value, p_adjusted: Of no gain; Holm's over the ingredients.
    units_needed: ``seeds_needed`` of ``pairwise.csv``.
    verdict: ``earns its place``, ``does harm``, ``does not matter`` or ``undecided``.
"""


def ablation_frame(analysis: Analysis) -> pd.DataFrame:
    """Return the content of ``ablation.csv``; empty where nothing was ablated."""
    rows = [row for result in analysis.results for row in ablation_rows(result)]
    cells = [[None if (c := row[k]) != c else c for k in ABLATION_COLUMNS] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(ABLATION_COLUMNS), dtype=object)


def ablation_rows(result: Result) -> Iterator[dict[str, Any]]:
    """Yield a row for each ingredient and question that runs answer."""
    for ingredient in result.workload.ingredients:
        alone = variant_alone(ingredient, result.workload.ingredients)
        verdicts = verdict_on(result, ingredient)
        pairs = ((LEFT_OUT, FULL, without(ingredient)), (ALONE, alone, NONE))
        for said, (asked, more, less) in zip(verdicts, pairs, strict=True):
            if more is None or not said:
                continue
            pair = result.pair(more, less)
            turned = pair["first"] != more
            low, high = pair["ci_low"], pair["ci_high"]
            yield {
                "ingredient": ingredient,
                "question": asked,
                "gain": -pair["mean_difference"] if turned else pair["mean_difference"],
                "ci_low": -high if turned else low,
                "ci_high": -low if turned else high,
                "p_value": pair["p_value"],
                "p_adjusted": pair["p_adjusted"],
                "n_pairs": pair["n_pairs"],
                "units_needed": pair["seeds_needed"],
                "verdict": said,
                "metric": pair["metric"],
                "dataset": pair["dataset"],
                "model": pair["model"],
                "track": pair["track"],
            }


def ablation_table(result: Result) -> Table | None:
    """Return a row per ingredient; None of what is no ablation."""
    rows: dict[str, dict[str, str]] = {}
    for row in ablation_rows(result):
        rows.setdefault(row["ingredient"], {})[row["question"]] = _cell(row, result)
    if not rows:
        return None
    columns = ["Ingredient", "In the recipe", "Alone"]
    cells = [
        [n, *(own.get(q, words.NOTHING) for q in (LEFT_OUT, ALONE))] for n, own in rows.items()
    ]
    caption = (
        f"{result.metric_name} with the ingredient − without it, over paired {result.unit}s, with "
        "its 95 % interval: in the recipe, where all others are there, and alone, where none is. "
        f"p-values are Holm's over {words.count(len(rows), 'ingredient')}, each column by itself."
    )
    return Table(columns, cells, caption)


def _cell(row: dict[str, Any], result: Result) -> str:
    metric = result.workload.metric
    gap = words.difference(row["gain"], metric)
    if math.isfinite(row["ci_low"]):
        ends = (words.difference(row[k], metric, unit=False) for k in ("ci_low", "ci_high"))
        gap += f" ({' to '.join(ends)})"
    p = f", {p_equals(row['p_adjusted'])}" if math.isfinite(row["p_adjusted"]) else ""
    return f"{row['verdict']}: {gap}{p}"
