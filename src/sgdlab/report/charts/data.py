"""A chart as data for the script of the page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sgdlab.report.charts.model import Area, Axis, Cells, Chart, Line, Points, ReferenceLine, Series
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


def _told(**content: Any) -> dict[str, Any]:
    """Return what is neither empty nor false; the script takes what is absent for that."""
    return {key: value for key, value in content.items() if value}


def _axis(axis: Axis) -> dict[str, Any]:
    limits = [] if axis.low is None or axis.high is None else rounded([axis.low, axis.high])
    names = list(axis.categories)
    shape = _told(log=axis.log, percent=axis.percent, categories=names, range=limits)
    shape |= _told(ticks=rounded(axis.ticks))
    return {"label": axis.label, **shape}


def _series(series: Series, names: Sequence[str]) -> dict[str, Any]:
    match series:
        case ReferenceLine(at, axis, label, whole):
            place = {"at": rounded([at])[0], "axis": axis, "label": label}
            return {"kind": "rule", **place, **_told(whole=whole)}
        case Area(name, edges, heights, base):
            sides = {"x": rounded(edges), "y": rounded(heights)}
            return {"kind": "area", "of": names.index(name), **sides, "base": base}
        case Cells():
            return _cells(series)
        case Line():
            kept = decimated(series.x, LINE_POINTS)
            sides = {key: getattr(series, key) for key in ("x", "y", "low", "high")}
            found = {
                key: rounded([values[place] for place in kept])
                for key, values in sides.items()
                if values is not None
            }
            return {"kind": series.kind, **_of(series, names), **found, **_told(end=series.end)}
        case Points():
            return _points(series, names)


def _cells(series: Cells) -> dict[str, Any]:
    """Return a map as one list of cells, row by row, ``z`` from the pale to the dark end."""
    places = [(i, j) for j, row in enumerate(series.values) for i in range(len(row))]
    return {
        "kind": "cells",
        "x": [i for i, _ in places],
        "y": [j for _, j in places],
        "z": rounded([series.share(series.values[j][i]) for i, j in places]),
        "lines": [series.texts[j][i].split("\n") for i, j in places],
        "hovers": [series.hovers[j][i] for i, j in places],
    }


def _of(series: Line | Points, names: Sequence[str]) -> dict[str, Any]:
    return {"of": names.index(series.name)} if series.name else {}


def _points(series: Points, names: Sequence[str]) -> dict[str, Any]:
    found = {"kind": "points", "x": rounded(series.x), "marker": series.marker}
    found |= _of(series, names)
    found |= {"edge": series.edge} if series.edge else {"y": rounded(series.y)}
    found |= _told(texts=list(series.texts), label=series.label)
    if series.low is not None and series.high is not None:
        found |= {"low": rounded(series.low), "high": rounded(series.high)}
    return found | _told(small=not series.large)


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
