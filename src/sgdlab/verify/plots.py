"""A figure per family: what was measured against steps, and what theory predicts."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdlab.report.charts.style import COLOURS, INK, context, plain, svg
from sgdlab.results import atomic_write
from sgdlab.verify.case import VerifyCurve

COLUMNS = 2
_DASHES: tuple[object, ...] = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)))


def draw(file: Path, family: str, curves: Sequence[VerifyCurve]) -> bool:
    """Write a family's figure as SVG; return whether there was anything to draw.

    Measured curves have colours. What theory predicts at the same steps is thin and dark; the slope
    that it predicts is drawn through the last point, thin and dashed, with its number.

    Args:
        file: The file to write.
        family: Its name, for the title.
        curves: The curves of its checks; points that a logarithm does not have are left out.
    """
    with context():
        figure = figure_of(family, curves)
        if figure is None:
            return False
        atomic_write(file, svg(figure, f"sgdlab verify: {family}"), durable=False)
    return True


def figure_of(family: str, curves: Sequence[VerifyCurve]) -> Figure | None:
    """Return a figure with a part for each panel that the curves name; None without curves.

    Call it in the context of `sgdlab.report.charts.style.context`.
    """
    panels: dict[str, list[VerifyCurve]] = {}
    for curve in curves:
        if np.isfinite(_drawable(curve)).any():
            panels.setdefault(curve.panel, []).append(curve)
    if not panels:
        return None
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    most = max(map(len, panels.values()))
    width = 6.4 if columns == 1 else 5.0 * columns
    figure = Figure(figsize=(width, rows * (3.0 + 0.17 * most) + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    places = cast("Sequence[Axes]", grid.ravel())
    for axes, (title, members) in zip(places, panels.items(), strict=False):
        _panel(axes, title, members)
    for axes in places[len(panels) :]:
        axes.remove()
    figure.suptitle(f"{family}: measured, and as predicted (thin)", fontsize=10)
    return figure


def _drawable(curve: VerifyCurve) -> np.ndarray:
    values = np.asarray(curve.values)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _panel(axes: Axes, title: str, curves: Sequence[VerifyCurve]) -> None:
    axes.set_title(plain(title), loc="left", fontsize=9)
    axes.set_yscale("log")
    # A straight line is what theory predicts: of log(value) against steps, or against their log.
    if all(curve.slope is not None or not len(curve.predicted) for curve in curves):
        axes.set_xscale("log")
    for index, curve in enumerate(curves):
        colour = COLOURS[index % len(COLOURS)]
        dash = _DASHES[index // len(COLOURS) % len(_DASHES)]
        steps, values = np.asarray(curve.steps), _drawable(curve)
        axes.plot(steps, values, color=colour, linestyle=dash, label=plain(curve.name))
        if len(curve.predicted):
            axes.plot(steps, curve.predicted, color=INK, linewidth=0.7)
        if curve.slope is not None:
            _slope(axes, steps, values, curve.slope, colour)
    axes.set_xlabel("steps")
    axes.grid(True)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=7.5)


def _slope(axes: Axes, steps: np.ndarray, values: np.ndarray, slope: float, colour: str) -> None:
    """Draw the predicted slope through the last point, over the last decade of steps."""
    there = np.flatnonzero(np.isfinite(values))
    last, height = steps[there[-1]], values[there[-1]]
    first = max(steps[0], last / 10)
    start = height * (first / last) ** slope
    axes.plot([first, last], [start, height], color=colour, linewidth=0.8, linestyle=(0, (3, 2)))
    axes.annotate(f"{slope:g}", (first, start), color=colour, fontsize=7.5, ha="right", va="center")
