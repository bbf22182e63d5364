"""The metric against the learning rate, and how wide the basin of good rates is."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sgdlab.analysis import words
from sgdlab.checks import is_number
from sgdlab.report.charts.model import Axis, Chart, Line, Points, Series
from sgdlab.report.charts.thin import thinned
from sgdlab.report.figures.scene import Scene
from sgdlab.results import COMPLETED

SPOTS = 2000
"""Points of a figure, all optimizers together, from which those on one spot are drawn once."""

LINE_BINS = 40
"""The median line over more learning rates than this is that of so many parts of their range."""


def learning_rates(scene: Scene) -> list[Chart]:
    """Return metric against learning rate with basins; none where no learning rate varies."""
    found = [s for s in scene.result.sensitivity if s.points]
    if not any(len({lr for lr, _, _ in s.points}) > 1 for s in found):
        return []
    values = [v for s in found for _, v, status in s.points if status == COMPLETED]
    values = [v for v in values if is_number(v)]
    workload = scene.result.workload
    log = is_log(scene, values)
    most = max(SPOTS // len(found), 20)
    series: list[Series] = []
    lost, several, marked = False, False, False
    for item in found:
        points = [(lr, scene.scale * v) for lr, v, s in item.points if s == COMPLETED]
        points = [point for point in points if is_number(point[1])]
        series += trial_series(item.optimizer, points, most, log, joined=not item.pooled)
        several = several or (not item.pooled and len({x for x, _ in points}) > LINE_BINS)
        failed = sorted({lr for lr, _, status in item.points if status != COMPLETED})
        if failed:
            lost = True
            series.append(_lost(item.optimizer, failed, most // 10, workload.maximise))
        if chosen := list(item.compared):
            marked = True
            series.append(
                Points(
                    item.optimizer, chosen, [], marker="down", edge="top", label="compared",
                    texts=["rate compared"] * len(chosen),
                )
            )  # fmt: skip
        series += _basin(scene, item)
    what = "tuning trials" if any(entry.trials for entry in scene.entries) else "all runs"
    caption = f"Final validation {workload.metric} against learning rate, {what}."
    caption += _line(several, sorted({key for item in found for key in item.pooled}))
    if marked:
        caption += " Triangles: the learning rates compared."
    if any(s.basin is not None for s in found):
        caption += " Bars: the basin, rates whose result is within a tolerance of the best one."
    if lost:
        caption += " × at the edge: runs that did not complete."
    y = metric_axis(scene, values, lost, log)
    axis = Axis("learning rate", log=True)
    title = f"Sensitivity to the learning rate: validation {workload.metric}"
    return [Chart(scene.name("learning-rate"), title, caption, axis, y, series)]


def _line(several: bool, pooled: Sequence[str]) -> str:
    """Say what the lines are, or why there are none."""
    if pooled:
        named = words.listing([*pooled[:4], *(["others"] if len(pooled) > 4 else [])])
        return f" No line joins the points: other settings vary, too: {named}."
    if several:
        return f" The line is the median over a {LINE_BINS}th of the range of rates."
    return " Lines join the medians of each rate."


def is_log(scene: Scene, values: Sequence[float]) -> bool:
    """Whether values are to be on a log axis: positive, no shares, over a factor of 20."""
    return not scene.percent and bool(values) and 0 < min(values) < max(values) / 20


def metric_axis(scene: Scene, values: Sequence[float], lost: bool, log: bool) -> Axis:
    """Return the axis of the final validation metric of some runs."""
    bare = scene.axis(f"final validation {scene.result.workload.metric}")
    low, high = _room(scene, values, lost, log)
    return replace(bare, log=log, low=low, high=high)


def _room(
    scene: Scene, values: Sequence[float], lost: bool, log: bool
) -> tuple[float | None, float | None]:
    """Return limits that leave a strip at the worse edge, so that crosses lie on no point."""
    if not values:
        return (0.0, 1.0) if lost else (None, None)
    low, high = scene.scale * min(values), scene.scale * max(values)
    maximise = scene.result.workload.maximise
    if log:
        low, high = math.log(low), math.log(high)
    pad = 0.05 * (high - low) or 0.02 * abs(high) or 0.1
    strip = 0.12 * (high - low) if lost else 0.0
    ends = [low - pad - (strip if maximise else 0), high + pad + (0 if maximise else strip)]
    if log:
        ends = [math.exp(end) for end in ends]
    return ends[0], ends[1]


def trial_series(
    name: str, points: Sequence[tuple[float, float]], most: int, log: bool, joined: bool = True
) -> list[Series]:
    """Return learning rate and metric of runs as points, and their median as a line if asked."""
    if not points:
        return []
    series: list[Series] = []
    xs, medians = median_line(points) if joined else ([], [])
    if len(xs) > 1:
        series.append(Line(name, xs, medians))
    kept = [points[place] for place in thinned(points, most, log)]
    x, y = (list(side) for side in zip(*kept, strict=True))
    series.append(Points(name, x, y, large=len(points) <= min(most, 60)))
    return series


def _lost(name: str, rates: list[float], most: int, maximise: bool) -> Points:
    edge = "bottom" if maximise else "top"
    kept = [rates[place] for place in thinned([(rate, 0.0) for rate in rates], most, False)]
    texts = ["did not complete"] * len(kept)
    return Points(name, kept, [], texts, marker="x", edge=edge, label="did not complete")


def _basin(scene: Scene, item: Any) -> list[Series]:
    """Return the bar of a basin at the height of its tolerance."""
    found = item.basin
    if found is None or not (is_number(found.low) and is_number(found.high)):
        return []
    sign = -1.0 if scene.result.workload.maximise else 1.0
    height = scene.scale * (found.best + sign * item.tolerance)
    text = f"basin {words.number(found.low, 2)} to {words.number(found.high, 2)}"
    text += f", {words.number(found.decades, 2)} decades"
    middle = math.sqrt(found.low * found.high)
    return [
        Points(
            item.optimizer, [middle], [height], [text], low=[found.low], high=[found.high],
            marker="bar", label="basin",
        )
    ]  # fmt: skip


def median_line(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return learning rates and the median at each; of many, of parts of their range."""
    by_lr: dict[float, list[float]] = {}
    for x, y in points:
        by_lr.setdefault(x, []).append(y)
    if len(by_lr) > LINE_BINS:
        logs = np.log([x for x, _ in points])
        part = np.floor((logs - logs.min()) / (np.ptp(logs) / LINE_BINS)).clip(0, LINE_BINS - 1)
        members = [[points[int(i)] for i in np.flatnonzero(part == p)] for p in np.unique(part)]
        by_lr = {float(np.median([x for x, _ in m])): [y for _, y in m] for m in members}
    xs = sorted(by_lr)
    return xs, [float(np.median(by_lr[x])) for x in xs]
