"""Curves over steps or seconds: median line, band over seeds, runs that did not complete."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from sgdlab.analysis.curves import Curve
from sgdlab.report.figures.style import FAINT, INK, Look, canvas, context, plain, svg

DIRECT_LABELS = 7
"""Up to this many optimizers, a line carries its name; more get a legend."""


def draw(
    curves: Sequence[Curve],
    looks: Mapping[str, Look],
    x_label: str,
    y_label: str,
    *,
    log: bool = False,
    percent: bool = False,
    target: float | None = None,
) -> str | None:
    """Return the SVG of a figure; None when no curve has data."""
    curves = [curve for curve in curves if not curve.empty]
    if not curves:
        return None
    names = [curve.optimizer for curve in curves]
    rows = 0 if len(names) <= DIRECT_LABELS else -(-len(names) // 3)
    with context():
        figure, axes = canvas(3.1 + 0.19 * rows)
        log = log and all(_positive(curve) for curve in curves)
        if log:
            axes.set_yscale("log")
        for curve in curves:
            _one(axes, curve, looks[curve.optimizer])
        _limits(axes, curves, log)
        if target is not None and axes.get_ylim()[0] <= target <= axes.get_ylim()[1]:
            axes.axhline(target, color=INK, linewidth=0.7, linestyle=(0, (2, 2)), zorder=1)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        if percent:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))
        elif log:
            _log_ticks(axes)
        if rows:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        else:
            _label(axes, curves, looks, log)
        return svg(figure, f"{y_label} against {x_label}")


def _one(axes: Axes, curve: Curve, look: Look) -> None:
    name = plain(curve.optimizer)
    if curve.band is not None:
        band = curve.band
        if band.n > 1:
            axes.fill_between(
                band.x, band.low, band.high, color=look.colour, alpha=0.18, linewidth=0
            )
        axes.plot(band.x, band.median, color=look.colour, linestyle=look.dash, label=name)  # type: ignore[arg-type]
    for number, (status, (x, y)) in enumerate(curve.lost):
        label = name if curve.band is None and number == 0 else None
        axes.plot(x, y, color=look.colour, linewidth=0.8, alpha=0.75, label=label)
        marker = "x" if status == "diverged" else "|"
        axes.plot(x[-1], y[-1], marker, color=look.colour, markersize=5, clip_on=True)


def _positive(curve: Curve) -> bool:
    lines = [line[1] for _, line in curve.lost]
    if curve.band is not None:
        lines.append(curve.band.low)
    return all(bool(np.all(line > 0)) for line in lines)


def _limits(axes: Axes, curves: Sequence[Curve], log: bool) -> None:
    """Fit the completed runs after their first sixth; what is outside runs out of the frame."""
    lows: list[float] = []
    highs: list[float] = []
    for curve in curves:
        if curve.band is None:
            continue
        band = curve.band
        keep = band.x >= band.x[0] + (band.x[-1] - band.x[0]) / 6
        if log:
            keep = np.ones_like(keep)
        lows.append(float(band.low[keep].min()))
        highs.append(float(band.high[keep].max()))
    if not lows:
        return
    low, high = min(lows), max(highs)
    if log:
        factor = max((high / low) ** 0.05, 1.05)
        axes.set_ylim(low / factor, high * factor)
    else:
        pad = 0.06 * (high - low) or 0.02 * abs(high) or 0.1
        axes.set_ylim(low - pad, high + pad)


def _log_ticks(axes: Axes) -> None:
    """Plain numbers on a log axis, with 2 and 5 where a decade or less is shown."""
    low, high = axes.get_ylim()
    decades = np.log10(high / low)
    subs = (1.0,) if decades > 3 else (1.0, 3.0) if decades > 1.5 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _label(axes: Axes, curves: Sequence[Curve], looks: Mapping[str, Look], log: bool) -> None:
    """Write each name at the right end of its line, moved apart where they would overlap."""
    low, high = axes.get_ylim()

    def height(value: float) -> float:
        if log:
            return float((np.log(value) - np.log(low)) / (np.log(high) - np.log(low)))
        return (value - low) / (high - low)

    ends: list[tuple[float, float, Curve]] = []
    right = max(_end(curve)[0] for curve in curves)
    for curve in curves:
        x, y = _end(curve)
        ends.append((min(max(height(y), 0.0), 1.0), x / right if right else 1.0, curve))
    ends.sort(key=lambda end: (end[0], end[2].optimizer))
    gap = 0.062
    places = [end[0] for end in ends]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    over = max(0.0, places[-1] - 1.0)
    places = [place - over for place in places]
    for i in range(len(places) - 2, -1, -1):
        places[i] = min(places[i], places[i + 1] - gap)
    for place, (true, _, curve) in zip(places, ends, strict=True):
        look = looks[curve.optimizer]
        if abs(place - true) > 0.01:
            axes.plot(
                [1.005, 1.03], [true, place], color=FAINT, linewidth=0.5, clip_on=False,
                transform=axes.transAxes,
            )  # fmt: skip
        axes.text(
            1.04, place, plain(_shorten(curve.optimizer)), color=look.colour, va="center",
            transform=axes.transAxes, fontsize=8.5,
        )  # fmt: skip


def _end(curve: Curve) -> tuple[float, float]:
    if curve.band is not None:
        return float(curve.band.x[-1]), float(curve.band.median[-1])
    x, y = curve.lost[0][1]
    return float(x[-1]), float(y[-1])


def _shorten(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"
