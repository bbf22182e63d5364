"""Curves in a terminal, drawn with braille dots by plotille."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import plotille

from sgdlab.terminal.ticks import ticks
from sgdlab.visible import visible

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
    drawn = [(visible(curve.name), _points(curve.x, curve.y, log_x, log_y)) for curve in curves]
    placed = [(visible(mark.name), _points([mark.x], [mark.y], log_x, log_y)) for mark in marks]
    every = [point for _, points in (*drawn, *placed) for point in points]
    if not every:
        raise ValueError("no finite point to draw")
    figure = plotille.Figure()
    figure.width, figure.height = width, height
    figure.with_colors = colours
    figure.origin = False
    figure.x_label, figure.y_label = visible(x_label), visible(y_label)
    x_limits, y_limits = _limits([x for x, _ in every]), _limits([y for _, y in every])
    figure.set_x_limits(*x_limits)
    figure.set_y_limits(*y_limits)
    figure.y_ticks_fkt = _row_ticks(ticks(*y_limits, log_y))
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
    *drawn_lines, _, _ = figure.show().splitlines()
    axis = _x_axis(ticks(*x_limits, log_x), x_limits, width, figure.x_label)
    lines = [line.rstrip("\u2800 ") for line in (*drawn_lines, *axis)]
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


def _row_ticks(round_numbers: Sequence[tuple[float, str]]) -> Callable[[Any, Any], str]:
    """Return what plotille asks for the number of a row, whose ends it passes."""

    def tick(low: Any, high: Any) -> str:
        return next((text for value, text in round_numbers if low <= value < high), "")

    return tick


_LEFT = 13  # columns before the picture


def _x_axis(
    round_numbers: Sequence[tuple[float, str]], limits: tuple[float, float], width: int, label: str
) -> tuple[str, str]:
    """Return the line under the picture and its numbers; plotille has one every ten columns."""
    low, high = limits
    line, numbers = ["-"] * width, ""
    for value, text in round_numbers:
        column = min(width - 1, round((value - low) / (high - low) * width))
        line[column] = "|"
        start = _LEFT + column - len(text) // 2
        if start > len(numbers) or not numbers:
            numbers = f"{numbers:<{start}}{text}"
    return f"{'-' * (_LEFT - 2)}|-{''.join(line)}-> ({label})", numbers
