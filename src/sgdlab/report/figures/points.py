"""Scatter figures: the metric against the learning rate, and every seed side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogFormatterSciNotation, MaxNLocator, NullFormatter

from sgdlab.analysis.statistics import Description
from sgdlab.report.figures.style import FAINT, INK, Look, canvas, context, plain, svg


@dataclass(frozen=True)
class Trials:
    """Runs of one optimizer over learning rates.

    Attributes:
        optimizer: Its name.
        points: Learning rate and metric of each completed run.
        lost: Learning rates of the runs that did not complete.
        chosen: The learning rate of the comparison; None when there is none.
    """

    optimizer: str
    points: list[tuple[float, float]]
    lost: list[float]
    chosen: float | None


def learning_rates(
    trials: Sequence[Trials], looks: Mapping[str, Look], y_label: str, maximise: bool, percent: bool
) -> str | None:
    """Return the SVG of metric against learning rate; None where no learning rate varies."""
    trials = [t for t in trials if t.points or t.lost]
    if not any(len({x for x, _ in t.points} | set(t.lost)) > 1 for t in trials):
        return None
    values = [y for t in trials for _, y in t.points]
    rows = -(-(len(trials) + 1) // 3)
    with context():
        figure, axes = canvas(3.0 + 0.19 * rows)
        axes.set_xscale("log")
        log = not percent and bool(values) and min(values) > 0 and max(values) > 20 * min(values)
        if log:
            axes.set_yscale("log")
        for item in trials:
            _trials(axes, item, looks[item.optimizer])
        edge = 0.035 if maximise else 0.965
        for item in trials:
            axes.plot(
                item.lost, [edge] * len(item.lost), "x", color=looks[item.optimizer].colour,
                transform=axes.get_xaxis_transform(), markersize=5.5, markeredgewidth=1.3,
            )  # fmt: skip
        if any(item.lost for item in trials):
            _room(axes, values, maximise, log)
        axes.set_xlabel("learning rate")
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_formatter(LogFormatterSciNotation())
        low, high = axes.get_xlim()
        if high / low < 100:
            axes.xaxis.set_minor_formatter(FuncFormatter(_few))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        else:
            axes.xaxis.set_minor_formatter(NullFormatter())
        if percent:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))
        figure.legend(handles=_legend(trials, looks), loc="outside lower center", ncols=3)
        return svg(figure, f"{y_label} against learning rate")


def _few(value: float, _: object = None) -> str:
    """Label 2 and 5 between decades."""
    digit = round(value / 10 ** np.floor(np.log10(value) + 1e-9))
    return f"{value:.3g}" if digit in (2, 5) else ""


def _trials(axes: Axes, item: Trials, look: Look) -> None:
    by_lr: dict[float, list[float]] = {}
    for x, y in item.points:
        by_lr.setdefault(x, []).append(y)
    repeated = any(len(ys) > 1 for ys in by_lr.values())
    if repeated and len(by_lr) > 1:
        xs = sorted(by_lr)
        medians = [float(np.median(by_lr[x])) for x in xs]
        axes.plot(xs, medians, color=look.colour, linestyle=look.dash, linewidth=1.1, alpha=0.8)  # type: ignore[arg-type]
    x, y = zip(*item.points, strict=True) if item.points else ((), ())
    size = 11 if repeated else 20
    axes.scatter(
        x, y, s=size, color=look.colour, marker=look.marker, alpha=0.75, linewidths=0, zorder=3
    )
    if item.chosen is not None:
        axes.plot(
            [item.chosen], [1.0], marker=7, color=look.colour, markersize=6, clip_on=False,
            transform=axes.get_xaxis_transform(), zorder=4,
        )  # fmt: skip


def _room(axes: Axes, values: Sequence[float], maximise: bool, log: bool) -> None:
    """Leave a strip at the worse edge, so that crosses lie on no point."""
    if not values:
        axes.set_ylim(0, 1)
        return
    low, high = axes.get_ylim()
    if log:
        strip = (high / low) ** 0.1
        axes.set_ylim(*((low / strip, high) if maximise else (low, high * strip)))
    else:
        strip = 0.1 * (high - low)
        axes.set_ylim(*((low - strip, high) if maximise else (low, high + strip)))


def _legend(trials: Sequence[Trials], looks: Mapping[str, Look]) -> list[Line2D]:
    handles = [
        Line2D(
            [], [], marker=looks[t.optimizer].marker, linestyle="none", markersize=4.5,
            color=looks[t.optimizer].colour, label=plain(t.optimizer),
        )
        for t in trials
    ]  # fmt: skip
    if any(t.lost for t in trials):
        handles.append(
            Line2D([], [], marker="x", linestyle="none", color=INK, label="did not complete")
        )
    return handles


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
    95 % interval.
    """
    samples = [s for s in samples if s.by_seed]
    if not samples:
        return None
    height = 1.1 + 0.3 * len(samples) if len(samples) > 3 else 1.1 + 0.75 * len(samples)
    with context():
        figure, axes = canvas(height)
        axes.grid(False)
        axes.grid(True, axis="x")
        heights = [_stacked(sample.by_seed, row) for row, sample in enumerate(samples)]
        for row, (above, below) in enumerate(pairwise(samples)):
            for seed in sorted(set(above.by_seed) & set(below.by_seed)):
                x = [above.by_seed[seed], below.by_seed[seed]]
                y = [heights[row][seed], heights[row + 1][seed]]
                axes.plot(x, y, color=FAINT, linewidth=0.6, alpha=0.6, zorder=1)
        for row, sample in enumerate(samples):
            look = looks[sample.optimizer]
            order = sorted(sample.by_seed)
            values = [sample.by_seed[seed] for seed in order]
            y = [heights[row][seed] for seed in order]
            axes.scatter(values, y, s=16, color=look.colour, alpha=0.7, linewidths=0, zorder=3)
            _mean(axes, row, sample.description, look)
        axes.set_yticks(range(len(samples)), [plain(s.optimizer) for s in samples])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(samples) - 0.45, -0.55)
        axes.set_xlabel(x_label)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        if percent:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))
        return svg(figure, f"{x_label} by seed")


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
