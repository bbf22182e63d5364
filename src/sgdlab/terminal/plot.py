"""Curves in a terminal, drawn with braille dots by plotille."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import plotille

_COLOURS = ("blue", "yellow", "green", "magenta", "cyan", "red")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class PlotLine:
    """A named line; points that are not finite (or not positive, on a log axis) are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Mark:
    """A named point."""

    name: str
    x: float
    y: float


def plot(
    curves: Sequence[PlotLine],
    marks: Sequence[Mark] = (),
    *,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    width: int = 64,
    height: int = 14,
    colours: bool = False,
) -> str:
    """Return curves and marks as lines of text, with a legend that names each by a letter.

    Letters stand at the end of each curve and at each mark, so that the picture reads without
    colours, too.

    Args:
        curves: The lines, drawn first.
        marks: The points on top of them.
        x_label: The text under the x axis.
        y_label: The text above the y axis.
        log_x: Whether the x axis is logarithmic.
        log_y: Whether the y axis is logarithmic.
        width: The columns of the picture, the axis's labels aside.
        height: The rows of the picture.
        colours: Whether the terminal shows colours.

    Raises:
        ValueError: No point can be drawn.
    """
    drawn = [(curve.name, _points(curve.x, curve.y, log_x, log_y)) for curve in curves]
    placed = [(mark.name, _points([mark.x], [mark.y], log_x, log_y)) for mark in marks]
    every = [point for _, points in (*drawn, *placed) for point in points]
    if not every:
        raise ValueError("no finite point to draw")
    figure = plotille.Figure()
    figure.width, figure.height = width, height
    figure.with_colors = colours
    figure.origin = False
    figure.x_label, figure.y_label = x_label, y_label
    figure.set_x_limits(*_limits([x for x, _ in every]))
    figure.set_y_limits(*_limits([y for _, y in every]))
    figure.x_ticks_fkt = _ticks(log_x)
    figure.y_ticks_fkt = _ticks(log_y)
    legend: list[str] = []
    shown = [*drawn, *placed]
    for index, (name, points) in enumerate(shown):
        letter = _LETTERS[index % len(_LETTERS)]
        if len(shown) > 1:
            legend.append(f"{letter} {name}" + ("" if points else " (nothing to draw)"))
        if not points:
            continue
        colour = _COLOURS[index % len(_COLOURS)] if colours else None
        if index < len(drawn) and len(points) > 1:
            xs, ys = zip(*points, strict=True)
            figure.plot(list(xs), list(ys), lc=colour)
        if len(shown) > 1 or len(points) == 1:
            x, y = points[-1]
            figure.text([x], [y], [letter], lc=colour)
    lines = [line.rstrip("\u2800 ") for line in figure.show().splitlines()]
    return "\n".join([*lines, *legend])


def _points(
    xs: Sequence[float], ys: Sequence[float], log_x: bool, log_y: bool
) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for x, y in zip(xs, ys, strict=True):
        if (log_x and not x > 0) or (log_y and not y > 0):
            continue
        point = (math.log10(x) if log_x else float(x), math.log10(y) if log_y else float(y))
        if all(map(math.isfinite, point)):
            points.append(point)
    return points


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        room = 0.5 * abs(low) or 0.5
        return low - room, high + room
    # Letters at the end of a curve need room.
    room = 0.03 * (high - low)
    return low - room, high + room


def _ticks(log: bool) -> Callable[[Any, Any], str]:
    def tick(low: Any, _: Any) -> str:
        return f"{10**low if log else low:.3g}"

    return tick
