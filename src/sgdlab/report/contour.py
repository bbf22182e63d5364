"""Paths of runs over the level lines of a function of two variables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdlab.report.charts.style import COLOURS, FAINT, INK, PAPER, context, plain, svg

LEVELS = 13
Window = tuple[float, ...]
"""``(left, right, bottom, top)``."""


@dataclass(frozen=True)
class Path2D:
    """The points that a run went through.

    Attributes:
        name: The name in the legend.
        x: The first coordinate at each step.
        y: The second coordinate.
    """

    name: str
    x: np.ndarray
    y: np.ndarray


def window_of(paths: Sequence[Path2D]) -> Window:
    """Return what holds all finite points of the paths, with a margin of a tenth."""
    sides: list[float] = []
    for values in ([path.x for path in paths], [path.y for path in paths]):
        every = np.concatenate(values)
        every = every[np.isfinite(every)]
        low, high = float(every.min()), float(every.max())
        room = 0.1 * (high - low) or 0.5
        sides += [low - room, high + room]
    return tuple(sides)


def levels_of(values: np.ndarray) -> np.ndarray:
    """Return the heights of level lines: evenly spaced logarithms, from near the minimum up.

    Args:
        values: The values of the function on a grid; the smallest is 0.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    low, high = float(np.quantile(positive, 0.01)), float(positive.max())
    return np.geomspace(low, high, LEVELS + 1)[:-1]


def contour(
    values: np.ndarray,
    window: Window,
    paths: Sequence[Path2D],
    minima: Sequence[tuple[float, float]],
    title: str,
    x_label: str,
    y_label: str,
) -> str:
    """Return the paths over the level lines as SVG.

    Args:
        values: The values of the function on a grid over the window, ``[y, x]``; the smallest is 0.
        window: What is shown; paths are cut off there.
        paths: The paths in the order of the legend; all start at the same point.
        minima: The points that stars mark.
        title: One line above the drawing.
        x_label: The label under the horizontal axis.
        y_label: The label beside the vertical axis.
    """
    left, right, bottom, top = window
    shape = (right - left) / (top - bottom)
    equal = 0.4 <= shape <= 2.5
    height = min(5.2, 5.6 / shape) if equal else 4.0
    with context():
        figure = Figure(figsize=(6.6, height + 0.9 + 0.2 * len(paths)), layout="constrained")
        axes = figure.subplots()
        _levels(axes, values, window)
        for index, path in enumerate(paths):
            _path(axes, path, COLOURS[index % len(COLOURS)])
        (start,) = axes.plot(
            paths[0].x[:1], paths[0].y[:1], "o", color=INK, markersize=6, label="start", zorder=5
        )
        start.set_markerfacecolor(PAPER)
        for index, (x, y) in enumerate(minima):
            axes.plot(
                [x], [y], "*", color=INK, markersize=11, zorder=5,
                markeredgecolor=PAPER, markeredgewidth=0.8,
                label=None if index else "minimum", linestyle="none",
            )  # fmt: skip
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        if equal:
            axes.set_aspect("equal")
        axes.set_title(plain(title), loc="left", fontsize=10)
        axes.set_xlabel(plain(x_label))
        axes.set_ylabel(plain(y_label))
        figure.legend(loc="outside lower left", ncols=1)
        return svg(figure, title)


def _levels(axes: Axes, values: np.ndarray, window: Window) -> None:
    left, right, bottom, top = window
    rows, columns = values.shape
    x, y = np.linspace(left, right, columns), np.linspace(bottom, top, rows)
    axes.contour(x, y, values, levels=levels_of(values), colors=FAINT, linewidths=0.6)


def _path(axes: Axes, path: Path2D, colour: str) -> None:
    """Draw a path with a dot per step, if these can be told apart, and a larger one at its end."""
    dots = 2.2 if len(path.x) <= 150 else 0.0
    axes.plot(
        path.x, path.y, "-o", color=colour, linewidth=1.0, markersize=dots, label=plain(path.name)
    )
    there = np.flatnonzero(np.isfinite(path.x) & np.isfinite(path.y))[-1:]
    axes.plot(path.x[there], path.y[there], "o", color=colour, markersize=5, zorder=4)
