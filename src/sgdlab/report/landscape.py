"""The slices of the loss of ``landscape.csv`` as a figure."""

import csv
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sgdlab.errors import InputError
from sgdlab.report.charts.style import COLOURS, INK, context, save

TITLE = "Loss around the final weights, directions normalised by filter"

Row = dict[str, str]


def draw_landscape(csv_path: Path, svg_path: Path) -> None:
    """Draw ``landscape.csv``: the line on the left, the plane as contours on the right.

    Args:
        csv_path: The file that `sgdlab.diagnostics.landscape.Landscape` leaves.
        svg_path: The file to write, whose suffix, svg, png or pdf, is the format.

    Raises:
        InputError: A file cannot be read or written, or has no such slices.
    """
    try:
        with csv_path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"{csv_path}: {error.strerror}") from error
    line = [row for row in rows if row.get("slice") == "line"]
    plane = [row for row in rows if row.get("slice") == "plane"]
    if not line or not plane:
        raise InputError(f"{csv_path}: has no slices; diagnostics=full leaves them")
    with context():
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.15])
        _line(left, line)
        _plane(figure, right, plane)
        figure.suptitle(TITLE, fontsize=10)
        save(figure, svg_path, TITLE)


def _line(axes: Axes, rows: list[Row]) -> None:
    x, loss = (np.array([float(row[key]) for row in rows]) for key in ("x", "loss"))
    axes.plot(x, loss, color=COLOURS[0])
    axes.axvline(0, color=INK, linewidth=0.6, linestyle=(0, (1.4, 1.4)))
    axes.set_xlabel("x, in norms of the filters")
    axes.set_ylabel("training loss")
    axes.grid(True, axis="y")
    if _spread(loss) > 100:
        axes.set_yscale("log")


def _plane(figure: Figure, axes: Axes, rows: list[Row]) -> None:
    x, y = (np.array(sorted({float(row[key]) for row in rows})) for key in ("x", "y"))
    at = {(float(row["x"]), float(row["y"])): float(row["loss"]) for row in rows}
    loss = np.array([[at[a, b] for a in x] for b in y])
    loss = np.where(np.isfinite(loss), loss, np.nan)
    if np.nanmax(loss, initial=-np.inf) > np.nanmin(loss, initial=np.inf):
        many = _spread(loss) > 10
        levels = (np.geomspace if many else np.linspace)(np.nanmin(loss), np.nanmax(loss), 16)
        norm = LogNorm() if many else None
        drawn = axes.contourf(x, y, loss, levels=levels, cmap="viridis", norm=norm)
        axes.contour(x, y, loss, levels=levels, colors=INK, linewidths=0.3, norm=norm)
        bar = figure.colorbar(drawn, ax=axes, format="%.3g")
        bar.set_label("training loss")
    axes.plot([0], [0], "+", color="white", markersize=8)
    axes.set_aspect("equal")
    axes.set_xlabel("x")
    axes.set_ylabel("y")


def _spread(loss: np.ndarray) -> float:
    """Return the largest finite loss over the smallest; 1 where some are not positive."""
    known = loss[np.isfinite(loss)]
    low, high = known.min(initial=np.inf), known.max(initial=-np.inf)
    return float(high / low) if 0 < low < np.inf else 1.0
