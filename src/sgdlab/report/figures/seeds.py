"""The metric of every unit of replication, a row per optimizer: points, or histograms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sgdlab.analysis.statistics import Description, describe
from sgdlab.analysis.units import RUN, unit_values
from sgdlab.report.charts.model import Area, Axis, Chart, Line, Points, Series
from sgdlab.report.figures.scene import Scene

CROWD = 60
"""From more seeds than this, a histogram stands for the points."""


@dataclass(frozen=True)
class Sample:
    """The metric of one optimizer by unit, in the unit of the axis, and what describes it."""

    optimizer: str
    by_unit: Mapping[float, float]
    description: Description
    unit: str = "seed"


def seeds(scene: Scene) -> list[Chart]:
    """Return the figure of every unit's metric, best optimizer on top; none if empty."""
    samples: list[Sample] = []
    for entry in scene.entries:
        values = unit_values(scene.runs, entry.units, scene.result.column)
        scaled = {number: scene.scale * value for number, value in values.items()}
        if scaled:
            low, high = (scene.scale * end for end in scene.result.workload.bounds)
            found = describe(list(scaled.values()), (low, high))
            samples.append(Sample(entry.optimizer, scaled, found, entry.unit))
    if not samples:
        return []
    name, unit = scene.metric, samples[0].unit
    title = f"{scene.result.metric_title} by {unit}"
    if crowd(samples):
        how = f"{title}, as histograms of equal area"
    elif unit == RUN:
        how = f"{title}; equal values are stacked"
    else:
        how = f"{title}. Grey lines link the same {unit} of neighbours; equal values are stacked"
    caption = f"{how}; diamond and bar: mean and its 95 % interval.{scene.rows_note}"
    y = Axis("", categories=tuple(scene.row(sample.optimizer) for sample in samples))
    series = drawn(samples)
    return [Chart(scene.name("seeds"), title, caption, scene.axis(name), y, series)]


def drawn(samples: Sequence[Sample]) -> list[Series]:
    """Return points or histograms, and the means."""
    series = _histograms(samples) if crowd(samples) else _every_unit(samples)
    for row, sample in enumerate(samples):
        found = sample.description
        series.append(
            Points(
                sample.optimizer, [found.mean], [row + 0.22], low=[found.ci_low],
                high=[found.ci_high], marker="diamond", texts=[f"mean of {found.n}"],
            )
        )  # fmt: skip
    return series


def crowd(samples: Sequence[Sample]) -> bool:
    """Whether there are too many units to draw each."""
    return any(len(sample.by_unit) > CROWD for sample in samples)


def _every_unit(samples: Sequence[Sample]) -> list[Series]:
    heights = [_stacked(sample.by_unit, row) for row, sample in enumerate(samples)]
    series: list[Series] = []
    for row, (above, below) in enumerate(pairwise(samples)):
        for unit in sorted(set(above.by_unit) & set(below.by_unit)):
            x = [above.by_unit[unit], below.by_unit[unit]]
            series.append(Line("", x, [heights[row][unit], heights[row + 1][unit]], kind="link"))
    for sample, height in zip(samples, heights, strict=True):
        units = sorted(sample.by_unit)
        series.append(
            Points(
                sample.optimizer,
                [sample.by_unit[unit] for unit in units],
                [height[unit] for unit in units],
                texts=[f"{sample.unit} {unit:g}" for unit in units],
            )
        )
    return series


def _histograms(samples: Sequence[Sample]) -> list[Series]:
    """Draw the share of units in each of `CROWD` parts of the common range, a row each."""
    values = [list(sample.by_unit.values()) for sample in samples]
    low, high = min(map(min, values)), max(map(max, values))
    pad = 0.0 if high > low else 0.01 * abs(high) or 0.01
    edges = np.linspace(low - pad, high + pad, CROWD + 1)
    shares = [np.histogram(v, edges)[0] / len(v) for v in values]
    highest = max(float(share.max()) for share in shares)
    return [
        Area(sample.optimizer, edges.tolist(), (0.5 * share / highest).tolist(), row)
        for row, (sample, share) in enumerate(zip(samples, shares, strict=True))
    ]


def _stacked(by_unit: Mapping[float, float], row: int) -> dict[float, float]:
    """Return the height of each point: equal values stand on top of each other, up to a limit."""
    seen: dict[float, list[float]] = {}
    for unit in sorted(by_unit):
        seen.setdefault(round(by_unit[unit], 9), []).append(unit)
    most = max(len(group) for group in seen.values())
    step = min(0.09, 0.42 / max(most - 1, 1))
    return {unit: row - step * i for group in seen.values() for i, unit in enumerate(group)}
