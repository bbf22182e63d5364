"""The metric against the learning rate: a point per run, thinned where there are thousands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogFormatterSciNotation, NullFormatter

from sgdlab.report.figures.style import INK, Look, canvas, context, plain, svg

SPOTS = 2000
"""Points of a figure, all optimizers together, from which those on one spot are drawn once."""

LINE_BINS = 40
"""The median line over more learning rates than this is that of so many parts of their range."""


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
        most = max(SPOTS // len(trials), 20)
        for item in trials:
            _trials(axes, item, looks[item.optimizer], most, log)
        edge = 0.035 if maximise else 0.965
        for item in trials:
            lost = [x for x, _ in thinned([(x, edge) for x in item.lost], most // 10, False)]
            axes.plot(
                lost, [edge] * len(lost), "x", color=looks[item.optimizer].colour,
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


def thinned(
    points: Sequence[tuple[float, float]], most: int, log: bool
) -> list[tuple[float, float]]:
    """Return points that look like all of them: the first on each spot.

    Args:
        points: x, on a log axis, and y.
        most: How many at most.
        log: Whether y is on a log axis, too.
    """
    kept = list(points)
    if len(kept) <= most:
        return kept
    x, y = np.log([x for x, _ in points]), np.array([y for _, y in points])
    if log:
        y = np.log(y)
    cells = 128
    while len(kept) > most and cells > 1:
        at = [
            np.floor((side - side.min()) / (np.ptp(side) or 1.0) * cells).astype(int)
            for side in (x, y)
        ]
        _, first = np.unique(at[0] * (cells + 1) + at[1], return_index=True)
        kept = [points[int(i)] for i in np.sort(first)]
        cells = cells * 3 // 4
    return kept


def many_rates(trials: Sequence[Trials]) -> bool:
    """Whether a line is not that of every learning rate."""
    return any(len({x for x, _ in item.points}) > LINE_BINS for item in trials)


def _line(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return learning rates and the median at each; of many, of parts of their range."""
    by_lr: dict[float, list[float]] = {}
    for x, y in points:
        by_lr.setdefault(x, []).append(y)
    if len(by_lr) > LINE_BINS:
        logs = np.log([x for x, _ in points])
        part = np.floor((logs - logs.min()) / (np.ptp(logs) / LINE_BINS)).clip(0, LINE_BINS - 1)
        members = [[points[int(i)] for i in np.flatnonzero(part == p)] for p in np.unique(part)]
        by_lr = {float(np.median([x for x, _ in m])): [y for _, y in m] for m in members}
    elif len(by_lr) == len(points):
        return [], []
    xs = sorted(by_lr)
    return xs, [float(np.median(by_lr[x])) for x in xs]


def _trials(axes: Axes, item: Trials, look: Look, most: int, log: bool) -> None:
    repeated = len({x for x, _ in item.points}) < len(item.points)
    xs, medians = _line(item.points)
    if len(xs) > 1:
        axes.plot(xs, medians, color=look.colour, linestyle=look.dash, linewidth=1.1, alpha=0.8)  # type: ignore[arg-type]
    shown = thinned(item.points, most, log)
    x, y = zip(*shown, strict=True) if shown else ((), ())
    size = 6 if len(item.points) > most else 11 if repeated else 20
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
