"""A chart as a matplotlib figure, for files."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FuncFormatter,
    LogFormatterSciNotation,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)

from sgdlab.report.charts import labels
from sgdlab.report.charts.cells import cells, names_beside
from sgdlab.report.charts.model import Area, Cells, Chart, Line, Points, ReferenceLine
from sgdlab.report.charts.style import FAINT, INK, SOFT, Look, plain, shorten

WIDTH, HEIGHT = 4.7, 3.1
"""The size of a figure in inches: the width is that of a column of a page."""

DIRECT_LABELS = 7
"""Up to this many optimizers, a line carries its name; more get a legend."""

LEGEND_NAME = 60
"""Letters of a name in a legend at most."""

_DASH = (0, (4, 3))
_MARKERS = {"diamond": "D", "x": "x", "ring": "o", "down": 7, "bar": "|", "_": "_"}


def draw(chart: Chart, looks: Mapping[str, Look]) -> Figure:
    """Return the figure of a chart; call inside `sgdlab.report.charts.style.context`."""
    direct = _labelled(chart)
    handles = [] if direct else _legend(chart, looks)
    figure = Figure(
        figsize=(WIDTH, _height(chart, -(-len(handles) // _columns(handles)))), layout="constrained"
    )
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    if not chart.x.categories:
        axes.grid(True, axis="x" if chart.y.categories else "y")
    if chart.x.log:
        axes.set_xscale("log")
    if chart.y.log:
        axes.set_yscale("log")
    for series in chart.series:
        match series:
            case Line():
                _line(axes, series, looks)
            case Points():
                _points(axes, series, looks)
            case Area(name, edges, heights, base):
                top = base - np.append(heights, heights[-1])
                axes.fill_between(
                    edges, base, top, step="post", color=looks[name].colour, alpha=0.55,
                    linewidth=0, zorder=3,
                )  # fmt: skip
            case Cells():
                cells(axes, series)
            case ReferenceLine():
                pass
    _frame(axes, chart)
    _rules(axes, chart)
    if direct:
        labels.direct(axes, chart, looks)
    elif handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=_columns(handles))
    return figure


def _labelled(chart: Chart) -> bool:
    """Whether lines carry their names: all are lines, and they are few."""
    owners = [s for s in chart.series if isinstance(s, Line) and s.kind != "link"]
    marked = any(isinstance(s, Points) for s in chart.series)
    short = all(name == shorten(name) for name in chart.names)
    return bool(owners) and not marked and short and len(chart.names) <= DIRECT_LABELS


def _columns(handles: Sequence[Line2D]) -> int:
    """Return how many columns a legend has: as many of its longest name as fit, three at most."""
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    return max(1, min(3, len(handles), 84 // (longest + 6)))


def _height(chart: Chart, lines: int) -> float:
    if chart.x.categories:
        return 1.1 + 0.42 * len(chart.y.categories)
    if rows := len(chart.y.categories):
        each = 0.75 if rows <= 3 else 0.3
        return 1.1 + each * rows + 0.19 * lines
    return HEIGHT + 0.19 * lines


def _line(axes: Axes, line: Line, looks: Mapping[str, Look]) -> None:
    if line.kind == "link":
        axes.plot(line.x, line.y, color=FAINT, linewidth=0.6, alpha=0.6, zorder=1)
        return
    look = looks[line.name]
    if line.low is not None and line.high is not None:
        axes.fill_between(
            line.x, line.low, line.high, color=look.colour, alpha=0.18, linewidth=0,
            step="post" if line.kind == "steps" else None,
        )  # fmt: skip
    thin = line.kind == "thin"
    axes.plot(
        line.x, line.y, color=look.colour,
        linestyle="-" if thin else look.dash,  # type: ignore[arg-type]
        linewidth=0.8 if thin else 1.6, alpha=0.75 if thin else 1.0,
        drawstyle="steps-post" if line.kind == "steps" else "default",
    )  # fmt: skip
    if line.end:
        axes.plot(line.x[-1], line.y[-1], line.end, color=look.colour, markersize=5, clip_on=True)


def _points(axes: Axes, points: Points, looks: Mapping[str, Look]) -> None:
    look = looks.get(points.name)
    colour = SOFT if look is None else look.colour
    marker = look.marker if points.marker == "own" and look else _MARKERS.get(points.marker, "o")
    if points.edge:
        place = (0.035 if points.edge == "bottom" else 0.965) if marker == "x" else 1.0
        axes.plot(
            points.x, [place] * len(points.x), linestyle="none", marker=marker, color=colour,
            transform=axes.get_xaxis_transform(), markersize=5.5, markeredgewidth=1.3,
            clip_on=False, zorder=4,
        )  # fmt: skip
        return
    if points.low is not None and points.high is not None:
        for low, high, y in zip(points.low, points.high, points.y, strict=True):
            if np.isfinite(low) and np.isfinite(high):
                axes.plot([low, high], [y, y], color=colour, linewidth=1.4, zorder=4)
    ring = points.marker == "ring"
    edged = points.marker == "diamond"
    axes.scatter(
        points.x, points.y, marker=marker, zorder=5 if edged or ring else 3,  # type: ignore[arg-type]
        s=(26 if ring else 20) if points.large else 8,
        color=None if ring else colour,
        alpha=1.0 if edged or ring else 0.75,
        facecolors="none" if ring else None,
        edgecolors=colour if ring else INK if edged else None,
        linewidths=1.2 if ring or marker == "x" else 0.5 if edged else 0,
    )  # fmt: skip


def _frame(axes: Axes, chart: Chart) -> None:
    """Set limits, ticks and labels."""
    for which, axis in (("x", chart.x), ("y", chart.y)):
        side = axes.xaxis if which == "x" else axes.yaxis
        limits = axes.set_xlim if which == "x" else axes.set_ylim
        if axis.categories and chart.x.categories:
            names_beside(axes, which, axis)
            continue
        if axis.categories:
            ticks = [plain(shorten(name, 30)) for name in axis.categories]
            axes.set_yticks(range(len(ticks)), ticks)
            axes.tick_params(axis="y", length=0)
            limits(len(ticks) - 0.45, -0.55)
            continue
        if axis.low is not None and axis.high is not None:
            limits(axis.low, axis.high)
        side.set_label_text(plain(axis.label))
        if axis.ticks:
            side.set_ticks(axis.ticks, [f"{value:,.10g}" for value in axis.ticks])
            side.set_minor_formatter(NullFormatter())
        elif axis.log:
            _log_ticks(axes, which)
        else:
            side.set_major_locator(MaxNLocator(6))
            side.set_major_formatter(
                FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "−"))
            )


def _log_ticks(axes: Axes, which: str) -> None:
    """Plain numbers on a log axis, with 2 and 5 where a decade or less is shown."""
    side = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    decades = np.log10(high / low)
    if decades > 5:
        side.set_major_formatter(LogFormatterSciNotation())
    else:
        subs = (1.0,) if decades > 3 else (1.0, 3.0) if decades > 1.5 else (1.0, 2.0, 5.0)
        side.set_major_locator(LogLocator(subs=subs, numticks=12))
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    side.set_minor_formatter(NullFormatter())


def _rules(axes: Axes, chart: Chart) -> None:
    for rule in chart.series:
        if not isinstance(rule, ReferenceLine):
            continue
        low, high = sorted(axes.get_xlim() if rule.axis == "x" else axes.get_ylim())
        if low <= rule.at <= high:
            line = axes.axvline if rule.axis == "x" else axes.axhline
            dash = "-" if rule.whole else _DASH
            line(rule.at, color=INK, linewidth=0.9, linestyle=dash, zorder=2)


def _legend(chart: Chart, looks: Mapping[str, Look]) -> list[Line2D]:
    """Return a handle per optimizer, unless the axis names them, and one per marker's meaning."""
    handles: list[Line2D] = []
    if not chart.y.categories:
        for name in chart.names:
            look = looks[name]
            points = any(isinstance(s, Points) and s.name == name for s in chart.series)
            lines = any(isinstance(s, Line) and s.name == name for s in chart.series)
            handles.append(
                Line2D(
                    [], [], color=look.colour, label=plain(shorten(name, LEGEND_NAME)),
                    markersize=4.5, marker=look.marker if points else "",
                    linestyle=look.dash if lines else "none",  # type: ignore[arg-type]
                )
            )  # fmt: skip
    meanings: dict[str, str] = {}
    for series in chart.series:
        if isinstance(series, Points) and series.label:
            # What has an interval is told by a dash.
            meanings[series.label] = series.marker if series.low is None else "_"
    for label, marker in meanings.items():
        handles.append(
            Line2D(
                [], [], marker=_MARKERS.get(marker, "o"), linestyle="none", color=INK,
                markersize=5, label=plain(label),
                markerfacecolor="none" if marker == "ring" else INK,
            )
        )  # fmt: skip
    return handles
