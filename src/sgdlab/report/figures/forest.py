"""Differences of every pair with their intervals: a forest plot."""

from collections.abc import Sequence
from typing import Any

from sgdlab.analysis import Result, words
from sgdlab.analysis.units import RUN
from sgdlab.checks import is_number
from sgdlab.report.charts.model import Axis, Chart, Points, ReferenceLine, Series
from sgdlab.report.charts.style import shorten
from sgdlab.report.figures.scene import Scene

MOST = 45
"""More pairs than these (ten optimizers) are too many rows: those with the best one are drawn."""


def forest(scene: Scene) -> list[Chart]:
    """Return the forest plot of the metric of the verdicts; none without a difference."""
    result = scene.result
    pairs = [pair for pair in result.primary if is_number(pair["mean_difference"])]
    some = len(pairs) > MOST
    if some:
        best = scene.entries[0].optimizer
        pairs = [pair for pair in pairs if best in (pair["first"], pair["second"])]
    if not pairs:
        return []
    metric, scale = result.workload.metric, scene.scale
    names = tuple(
        f"{shorten(scene.row(p['first']))} − {shorten(scene.row(p['second']))}" for p in pairs
    )
    series: list[Series] = [ReferenceLine(0.0, "x", "no difference", whole=True)]
    if (margin := result.margin) is not None:
        series += [ReferenceLine(end * margin * scale, "x", "margin") for end in (-1, 1)]
    for row, pair in enumerate(pairs):
        low, high = (
            scale * pair[end] if is_number(pair[end]) else float("nan")
            for end in ("ci_low", "ci_high")
        )
        # The colour is that of the better one; grey ink where none is called better.
        ahead = {"first better": pair["first"], "second better": pair["second"]}
        series.append(
            Points(
                ahead.get(pair["verdict"], ""), [scale * pair["mean_difference"]], [row],
                texts=[_text(pair, metric)], low=[low], high=[high], marker="diamond",
            )
        )  # fmt: skip
    unit = " (points)" if scene.percent else ""
    which = f"the {len(pairs)} pairs with {scene.entries[0].optimizer}" if some else "every pair"
    rest = f"; pairwise.csv has all {len(result.primary)}" if some else ""
    good = "right: the first has more, which is better"
    if not result.workload.maximise:
        good = "left: the first has less, which is better"
    caption = (
        f"Mean {'' if result.unit == RUN else 'paired '}difference in {scene.metric}, "
        "first − second, with its 95 % interval, for "
        f"{which}{rest}. {good[0].upper()}{good[1:]}. Colour: that of the {result.noun} called "
        "better; grey: none is. Intervals are for one pair alone, verdicts are adjusted for "
        f"{_all(result)}.{scene.rows_note}"
    )
    if margin is not None:
        shown = words.difference(margin, metric).lstrip("+")
        caption += f" Whole line: no difference; dashed: the margin of equivalence, ± {shown}."
    low, high = _frame(pairs, margin)
    # The metric is in the title: beside narrow frames there is no room for it twice.
    axis = Axis(f"difference{unit}", low=scale * low, high=scale * high)
    title = f"Pairwise differences in {scene.metric}"
    return [Chart(scene.name("pairs"), title, caption, axis, Axis("", categories=names), series)]


def _all(result: Result) -> str:
    """Return what the verdicts are adjusted for."""
    if len(result.families) > 1:
        return "the pairs of one question"
    return f"all {words.count(len(result.primary), 'pair')}" if result.workload.by else "all pairs"


def _frame(pairs: Sequence[dict[str, Any]], margin: float | None) -> tuple[float, float]:
    """Return the ends of the axis: every interval, zero and the margin are inside."""
    ends = [0.0, *(() if margin is None else (-margin, margin))]
    keys = ("mean_difference", "ci_low", "ci_high")
    ends += [pair[key] for pair in pairs for key in keys if is_number(pair[key])]
    room = 0.04 * (max(ends) - min(ends)) or 1.0
    return min(ends) - room, max(ends) + room


def _text(pair: dict[str, Any], metric: str) -> str:
    keys = ("mean_difference", "ci_low", "ci_high")
    mean, low, high = (words.difference(pair[key], metric, unit=False) for key in keys)
    return f"{mean}, 95 % CI {low} to {high}; {pair['verdict']}"
