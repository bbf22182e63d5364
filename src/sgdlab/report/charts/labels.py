"""Names at the right end of lines, moved apart where they would overlap."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from sgdlab.report.charts.model import Chart, Line
from sgdlab.report.charts.style import FAINT, Look, plain, shorten

_GAP = 0.062
"""Distance of two names at least, as a share of the height of the axis."""


def direct(axes: Axes, chart: Chart, looks: Mapping[str, Look]) -> None:
    """Write the name of every optimizer at the end of its first line."""
    low, high = axes.get_ylim()

    def height(value: float) -> float:
        if chart.y.log:
            value, bottom, top = np.log(value), np.log(low), np.log(high)
            return float((value - bottom) / (top - bottom))
        return (value - low) / (high - low)

    lines: dict[str, Line] = {}
    for series in chart.series:
        if isinstance(series, Line) and series.kind != "link":
            lines.setdefault(series.name, series)
    ends = [(min(max(height(line.y[-1]), 0.0), 1.0), name) for name, line in lines.items()]
    ends.sort()
    places = [place for place, _ in ends]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + _GAP)
    places[-1] = min(places[-1], 1.0)
    for i in range(len(places) - 2, -1, -1):
        places[i] = min(places[i], places[i + 1] - _GAP)
    for place, (true, name) in zip(places, ends, strict=True):
        if abs(place - true) > 0.01:
            axes.plot(
                [1.005, 1.03], [true, place], color=FAINT, linewidth=0.5, clip_on=False,
                transform=axes.transAxes,
            )  # fmt: skip
        axes.text(
            1.04, place, plain(shorten(name)), color=looks[name].colour, va="center",
            transform=axes.transAxes, fontsize=8.5,
        )  # fmt: skip
