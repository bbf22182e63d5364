"""The metric of every seed, a row per optimizer: points, or histograms of a crowd."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sgdlab.analysis.statistics import Description
from sgdlab.report.figures.style import FAINT, INK, Look, canvas, context, plain, svg

CROWD = 60
"""From more seeds than this, a histogram stands for the points."""


@dataclass(frozen=True)
class Sample:
    """The metric of one optimizer by seed, and what describes it."""

    optimizer: str
    by_seed: dict[float, float]
    description: Description


def seeds(
    samples: Sequence[Sample], looks: Mapping[str, Look], x_label: str, percent: bool
) -> str | None:
    """Return the SVG of every seed's metric, a row per optimizer, best on top; None if empty.

    Grey lines link the runs of one seed; equal values are stacked; the bar is the mean and its
    95 % interval. Of a crowd, a histogram is drawn.
    """
    samples = [s for s in samples if s.by_seed]
    if not samples:
        return None
    height = 1.1 + 0.3 * len(samples) if len(samples) > 3 else 1.1 + 0.75 * len(samples)
    with context():
        figure, axes = canvas(height)
        axes.grid(False)
        axes.grid(True, axis="x")
        if crowd(samples):
            _histograms(axes, samples, looks)
        else:
            _every_seed(axes, samples, looks)
        for row, sample in enumerate(samples):
            _mean(axes, row, sample.description, looks[sample.optimizer])
        axes.set_yticks(range(len(samples)), [plain(s.optimizer) for s in samples])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(samples) - 0.45, -0.55)
        axes.set_xlabel(x_label)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        if percent:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))
        return svg(figure, f"{x_label} by seed")


def crowd(samples: Sequence[Sample]) -> bool:
    """Whether there are too many seeds to draw each."""
    return any(len(sample.by_seed) > CROWD for sample in samples)


def _every_seed(axes: Axes, samples: Sequence[Sample], looks: Mapping[str, Look]) -> None:
    heights = [_stacked(sample.by_seed, row) for row, sample in enumerate(samples)]
    for row, (above, below) in enumerate(pairwise(samples)):
        for seed in sorted(set(above.by_seed) & set(below.by_seed)):
            x = [above.by_seed[seed], below.by_seed[seed]]
            y = [heights[row][seed], heights[row + 1][seed]]
            axes.plot(x, y, color=FAINT, linewidth=0.6, alpha=0.6, zorder=1)
    for row, sample in enumerate(samples):
        order = sorted(sample.by_seed)
        values = [sample.by_seed[seed] for seed in order]
        y = [heights[row][seed] for seed in order]
        colour = looks[sample.optimizer].colour
        axes.scatter(values, y, s=16, color=colour, alpha=0.7, linewidths=0, zorder=3)


def _histograms(axes: Axes, samples: Sequence[Sample], looks: Mapping[str, Look]) -> None:
    """Draw the share of seeds in each of `CROWD` parts of the common range, a row each."""
    values = [list(sample.by_seed.values()) for sample in samples]
    low, high = min(map(min, values)), max(map(max, values))
    pad = 0.0 if high > low else 0.01 * abs(high) or 0.01
    edges = np.linspace(low - pad, high + pad, CROWD + 1)
    shares = [np.histogram(v, edges)[0] / len(v) for v in values]
    highest = max(float(share.max()) for share in shares)
    for row, (sample, share) in enumerate(zip(samples, shares, strict=True)):
        top = row - 0.5 * np.append(share, share[-1]) / highest
        axes.fill_between(
            edges, row, top, step="post", color=looks[sample.optimizer].colour, alpha=0.55,
            linewidth=0, zorder=3,
        )  # fmt: skip


def _stacked(by_seed: Mapping[float, float], row: int) -> dict[float, float]:
    """Return the height of each point: equal values stand on top of each other, up to a limit."""
    seen: dict[float, list[float]] = {}
    for seed in sorted(by_seed):
        seen.setdefault(round(by_seed[seed], 9), []).append(seed)
    most = max(len(group) for group in seen.values())
    step = min(0.09, 0.42 / max(most - 1, 1))
    return {seed: row - step * i for group in seen.values() for i, seed in enumerate(group)}


def _mean(axes: Axes, row: int, description: Description, look: Look) -> None:
    y = row + 0.22
    if np.isfinite(description.ci_low):
        ends = [description.ci_low, description.ci_high]
        axes.plot(ends, [y, y], color=look.colour, linewidth=1.4, zorder=4)
    axes.plot(
        [description.mean], [y], marker="D", markersize=4.5, color=look.colour, zorder=5,
        markeredgecolor=INK, markeredgewidth=0.5,
    )  # fmt: skip
