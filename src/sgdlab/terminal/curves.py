"""Small curves of a run under way, of braille dots: two across and four down in each character."""

import itertools
import math
from collections.abc import Sequence

from sgdlab.terminal.numbers import number

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the dots of a braille character (Unicode, U+2800), by row and column."""

_LOG_FROM = 10.0
"""The logarithm is drawn of what is positive and spans so large a ratio."""


class BinnedCurve:
    """Values over the steps of a run, averaged in as many parts of it as are drawn.

    Args:
        total: The steps of the run.
        parts: The number of parts.
    """

    def __init__(self, total: int, parts: int) -> None:
        self._scale = parts / max(total, 1)
        self._sums, self._counts = [0.0] * parts, [0] * parts

    def add(self, step: int, value: float) -> None:
        """Take the value after a step, which are counted from 1; one that is not finite is none."""
        if math.isfinite(value):
            part = min(max(int((step - 1) * self._scale), 0), len(self._sums) - 1)
            self._sums[part] += value
            self._counts[part] += 1

    def means(self) -> list[float | None]:
        """Return the mean of each part; None where there is no value."""
        pairs = zip(self._sums, self._counts, strict=True)
        return [total / count if count else None for total, count in pairs]


def curve_lines(name: str, means: Sequence[float | None], height: int, label: int = 7) -> list[str]:
    """Return a heading and a curve of some lines, its greatest and least value beside it.

    Args:
        name: What it shows.
        means: Its values from left to right, two for each character; between values that are
            further apart it is a straight line.
        height: The lines under the heading.
        label: The columns of the two numbers.
    """
    known = [value for value in means if value is not None]
    if not known:
        return []
    low, high = min(known), max(known)
    log = low > 0 and high >= _LOG_FROM * low
    heights = [None if v is None else _place(v, low, high, log) * (4 * height - 1) for v in means]
    rows = _dots(heights, height)
    labels = [number(high, 3), *[""] * (height - 2), number(low, 3)] if height > 1 else [""]
    heading = f"{'':{label}}  {name}{', log scale' if log else ''}"
    return [heading, *(f"{text:>{label}} │{row}" for text, row in zip(labels, rows, strict=True))]


def _place(value: float, low: float, high: float, log: bool) -> float:
    """Return where a value lies between the greatest, 0, and the least, 1."""
    if high == low:
        return 0.5
    if log:
        return math.log(high / value) / math.log(high / low)
    return (high - value) / (high - low)


def _dots(heights: Sequence[float | None], rows: int) -> list[str]:
    """Return lines of braille, a dot column for each height (0 at the top, None: no dot)."""
    cells = [[0] * (-(-len(heights) // 2)) for _ in range(rows)]
    known = [(x, y) for x, y in enumerate(heights) if y is not None]
    columns = {x: {round(y)} for x, y in known}
    for (x0, y0), (x1, y1) in itertools.pairwise(known):
        ends = [round(y0 + (y1 - y0) * (x - x0) / (x1 - x0)) for x in range(x0, x1 + 1)]
        for x, (before, after) in enumerate(itertools.pairwise(ends), start=x0 + 1):
            # A steep line has no gaps: its dots reach down or up to its neighbour's.
            step = 1 if before < after else -1
            columns.setdefault(x, set()).update({*range(before + step, after, step), after})
    for x, dots in columns.items():
        for y in dots:
            cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    return ["".join(chr(0x2800 + bits) if bits else " " for bits in row) for row in cells]


def side_by_side(figures: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return figures beside each other, as many as a terminal of some columns has room for."""
    kept: list[Sequence[str]] = []
    used = 0
    for figure in figures:
        wide = max(map(len, figure), default=0)
        if not figure or used + wide >= width:
            continue
        kept.append([line.ljust(wide) for line in figure])
        used += wide + 2
    return ["  ".join(lines).rstrip() for lines in zip(*kept, strict=True)]
