"""A chart as data for the script of the page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sgdlab.report.charts.model import Area, Axis, Chart, Line, Points, ReferenceLine, Series
from sgdlab.report.charts.style import Look
from sgdlab.report.charts.thin import decimated

DIGITS = 6
"""Significant digits of a number in a figure: more than a screen has pixels."""

LINE_POINTS = 200
"""Points of a line at most."""


def data(chart: Chart, looks: Mapping[str, Look]) -> dict[str, Any]:
    """Return a chart as plain dicts, lists, text and numbers; NaN and infinity become None.

    Texts are as they are: the script escapes them where they are drawn.
    """
    names = chart.names
    return {
        "title": chart.title,
        "x": _axis(chart.x),
        "y": _axis(chart.y),
        "names": names,
        "looks": [[looks[n].number % 7, looks[n].cycle] for n in names],
        "series": [_series(series, names) for series in chart.series],
    }


def _axis(axis: Axis) -> dict[str, Any]:
    found: dict[str, Any] = {"label": axis.label}
    if axis.log:
        found["log"] = True
    if axis.percent:
        found["percent"] = True
    if axis.categories:
        found["categories"] = list(axis.categories)
    if axis.low is not None and axis.high is not None:
        found["range"] = rounded([axis.low, axis.high])
    return found


def _series(series: Series, names: Sequence[str]) -> dict[str, Any]:
    match series:
        case ReferenceLine(at, axis, label):
            return {"kind": "rule", "at": rounded([at])[0], "axis": axis, "label": label}
        case Area(name, edges, heights, base):
            return {
                "kind": "area",
                "of": names.index(name),
                "x": rounded(edges),
                "y": rounded(heights),
                "base": base,
            }
        case Line():
            kept = decimated(series.x, LINE_POINTS)
            found: dict[str, Any] = {"kind": series.kind}
            if series.name:
                found["of"] = names.index(series.name)
            for key in ("x", "y", "low", "high"):
                values = getattr(series, key)
                if values is not None:
                    found[key] = rounded([values[place] for place in kept])
            if series.end:
                found["end"] = series.end
            return found
        case Points():
            return _points(series, names)


def _points(series: Points, names: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": "points", "x": rounded(series.x), "marker": series.marker}
    if series.name:
        found["of"] = names.index(series.name)
    if series.edge:
        found["edge"] = series.edge
    else:
        found["y"] = rounded(series.y)
    if series.texts:
        found["texts"] = list(series.texts)
    if series.label:
        found["label"] = series.label
    if series.low is not None and series.high is not None:
        found |= {"low": rounded(series.low), "high": rounded(series.high)}
    if not series.large:
        found["small"] = True
    return found


def rounded(values: Sequence[float]) -> list[float | int | None]:
    """Return numbers with `DIGITS` significant digits, whole ones as integers."""
    found: list[float | int | None] = []
    for value in values:
        if not math.isfinite(value):
            found.append(None)
            continue
        short = float(f"{value:.{DIGITS}g}")
        found.append(int(short) if short.is_integer() and abs(short) < 1e15 else short)
    return found
