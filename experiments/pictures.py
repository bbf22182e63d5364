"""The picture of an experiment: means over seeds with the range of the seeds, as SVG."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from measures import Studies, table, time_to_fit

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7f7f00", "#56b4e9", "#444444", "#e69f00")
"""Okabe and Ito's, which colour-blind readers tell apart."""
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "sgdlab",
    "svg.fonttype": "path", "lines.linewidth": 1.4, "legend.frameon": False,
}  # fmt: skip


def draw(picture: Mapping[str, Any], studies: Studies) -> bytes:
    """Return the picture that ``picture`` describes: a panel for each of its ``panels``."""
    panels = picture["panels"]
    with plt.rc_context(STYLE):
        width = 3.6 * len(panels) + 0.6
        figure, axes = plt.subplots(1, len(panels), figsize=(width, 3.1), squeeze=False)
        for axis, panel in zip(axes[0], panels, strict=True):
            KINDS[panel.get("kind", "runs")](axis, panel, studies)
            axis.set(xlabel=panel["x_label"], ylabel=panel["y_label"], title=panel.get("title", ""))
            axis.title.set_size(9)
        figure.tight_layout()
        made = io.BytesIO()
        figure.savefig(made, format="svg", metadata={"Date": None})
        plt.close(figure)
    return made.getvalue()


def _lines(axis: Axes, panel: Mapping[str, Any], lines: Mapping[str, pd.DataFrame]) -> None:
    """Draw tables of x by seed, a line each."""
    for (label, wide), colour in zip(lines.items(), COLOURS * 2, strict=False):
        x, y = wide.index.to_numpy(float), wide.replace([np.inf], np.nan)
        axis.plot(x, y.mean(axis=1), color=colour, label=label, marker=panel.get("marker"), ms=3.5)
        axis.fill_between(x, y.min(axis=1), y.max(axis=1), color=colour, alpha=0.15, lw=0)
    for level in panel.get("levels", []):
        axis.axhline(level, color="#444444", lw=0.8, ls="--")
    if panel.get("log_x"):
        axis.set_xscale("log")
    if panel.get("log_y"):
        axis.set_yscale("log")
    if "y_range" in panel:
        axis.set_ylim(panel["y_range"])
    if len(lines) > 1:
        axis.legend(fontsize=7.5)


def _runs(axis: Axes, panel: Mapping[str, Any], studies: Studies) -> None:
    """Draw a column of ``runs.csv`` against another."""
    lines = {
        label: table(studies, line["study"], line.get("where")).pivot_table(
            line.get("y", panel["y"]), panel["x"], "seed", dropna=False, aggfunc="mean"
        )
        for label, line in panel["lines"].items()
    }
    _lines(axis, {"marker": "o", **panel}, lines)


def _steps(axis: Axes, panel: Mapping[str, Any], studies: Studies) -> None:
    """Draw a column of ``steps.csv`` against the step."""
    lines = {}
    for label, line in panel["lines"].items():
        runs = table(studies, line["study"], line.get("where")).set_index("run_id")
        steps = studies[line["study"]].steps.dropna(subset=[panel["y"]])
        steps = steps[steps["run_id"].isin(runs.index)]
        steps = steps.assign(seed=steps["run_id"].map(runs["seed"]))
        lines[label] = steps.pivot_table(panel["y"], "step", "seed")
    _lines(axis, panel, lines)


def _times(axis: Axes, panel: Mapping[str, Any], studies: Studies) -> None:
    """Draw the step at which class k is fitted against k."""
    lines = {
        label: time_to_fit(studies, line["study"], panel["level"], line.get("where")).T
        for label, line in panel["lines"].items()
    }
    _lines(axis, {"marker": "o", "log_x": True, "log_y": True, **panel}, lines)


def _heat(axis: Axes, panel: Mapping[str, Any], studies: Studies) -> None:
    """Draw a column of ``runs.csv`` over two settings, the best cell of each x marked."""
    runs = table(studies, panel["study"], panel.get("where"))
    grid = runs.pivot_table(panel["z"], panel["y"], panel["x"], aggfunc="mean")
    low, high = panel["z_range"]
    axis.imshow(grid, origin="lower", aspect="auto", cmap="viridis_r", vmin=low, vmax=high)
    for column in range(grid.shape[1]):
        axis.text(
            column, int(np.argmin(grid.iloc[:, column])), "×", ha="center", va="center", color="w"
        )
    axis.set_xticks(range(grid.shape[1]), [f"{v:.2g}" for v in grid.columns], fontsize=7)
    axis.set_yticks(range(grid.shape[0]), [f"{v:.2g}" for v in grid.index], fontsize=7)


KINDS: dict[str, Callable[[Axes, Mapping[str, Any], Studies], None]] = {
    "runs": _runs, "steps": _steps, "times": _times, "heat": _heat,
}  # fmt: skip
