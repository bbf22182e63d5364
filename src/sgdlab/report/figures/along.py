"""Differences and speed-ups of pairs along the axes of a comparison."""

import math
from collections.abc import Sequence
from itertools import groupby

from sgdlab.analysis.axis_lines import AxisLine
from sgdlab.report.charts.model import Axis, Chart, Line, Points, ReferenceLine, Series
from sgdlab.report.figures.slug import slug

MOST = 6
"""Pairs drawn in a figure; axes.csv has all."""

_LOG_FROM = 4.0
"""The ratio of the largest to the smallest value from which an axis is logarithmic."""


_MOST_TICKS = 6
"""Values along an axis of which each has a tick."""


def along_axes(lines: Sequence[AxisLine]) -> list[Chart]:
    """Return two figures per axis of numbers: the difference of every pair, and its speed-up."""
    found: list[Chart] = []

    def place(line: AxisLine) -> tuple[str, str, str]:
        return line.result.workload.name.partition(" with ")[0], line.axis, line.others

    for (name, axis, others), group in groupby(lines, key=place):
        own = [line for line in group if line.numeric][:MOST]
        if own:
            found += [_difference(own, name, axis, others), *_speed(own, name, axis, others)]
    return found


def _x(lines: Sequence[AxisLine], axis: str) -> Axis:
    values = [float(str(point.value)) for line in lines for point in line.points]
    low, high = min(values), max(values)
    ticks = tuple(sorted(set(values)))
    is_log = low > 0 and high >= _LOG_FROM * low
    return Axis(axis, log=is_log, ticks=ticks if len(ticks) <= _MOST_TICKS else ())


def _difference(lines: Sequence[AxisLine], name: str, axis: str, others: str) -> Chart:
    result = lines[0].result
    scale = 100.0 if result.workload.metric == "accuracy" else 1.0
    series: list[Series] = [ReferenceLine(0.0, "y", "no difference", whole=True)]
    for line in lines:
        x = [float(str(point.value)) for point in line.points]
        mean, low, high = zip(*(line.ends(point) for point in line.points), strict=True)
        middle, lower, upper = ([scale * v for v in side] for side in (mean, low, high))
        name_of_pair = f"{line.first} − {line.second}"
        series.append(Line(name_of_pair, x, middle, lower, upper))
        series.append(Points(name_of_pair, x, middle))
    unit = " (points)" if scale > 1 else ""
    good = (
        "Above the line the first is better."
        if result.workload.maximise
        else ("Below the line the first is better.")
    )
    title = f"Difference in {result.metric_name} along {axis} on {name}"
    caption = (
        f"{title}{_held(others)}: mean difference of each pair with its 95 % interval, for one "
        f"pair and point alone; markers: what was run. {good} Nothing is drawn, or claimed, beyond "
        "it."
    )
    figure = slug(f"along-{axis}-{name}-{others}")
    return Chart(figure, title, caption, _x(lines, axis), Axis(f"difference{unit}"), series)


def _speed(lines: Sequence[AxisLine], name: str, axis: str, others: str) -> list[Chart]:
    series: list[Series] = [ReferenceLine(1.0, "y", "as fast", whole=True)]
    for line in lines:
        kept = [point for point in line.points if math.isfinite(point.speed.mean)]
        if len(kept) < 2:
            continue
        x = [float(str(point.value)) for point in kept]
        sides = [
            [math.exp(getattr(point.speed, end)) for point in kept]
            for end in ("mean", "ci_low", "ci_high")
        ]
        known = all(math.isfinite(value) for side in sides for value in side)
        bands = (sides[1], sides[2]) if known else (None, None)
        name_of_pair = f"{line.first} before {line.second}"
        series.append(Line(name_of_pair, x, sides[0], *bands))
        series.append(Points(name_of_pair, x, sides[0]))
    if len(series) < 2:
        return []
    title = f"Speed-up along {axis} on {name}"
    caption = (
        f"{title}{_held(others)}: how many times sooner, in steps, the first is at the loss that "
        "both reach, geometric mean with its 95 % interval. Above 1 the first is sooner."
    )
    figure = slug(f"along-{axis}-{name}-{others}-speed-up")
    y = Axis("speed-up (×)", log=True)
    return [Chart(figure, title, caption, _x(lines, axis), y, series)]


def _held(others: str) -> str:
    return f" with {others}" if others else ""
