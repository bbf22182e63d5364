"""Moves the range of a test to where the loss says something."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sgdlab.range_test.result import RangeResult
from sgdlab.range_test.settings import RangeConfig, ends

MOVES = 5
"""Times that a range is moved, one way: 20 decades beyond the first."""

_BY = 1e4
"""A move: four of the eight decades, so that what was at an end is in the middle."""

Test = Callable[[RangeConfig], RangeResult]
"""Makes a test of new weights over a range, and reads it."""


def moved_test(test: Test, section: RangeConfig) -> RangeResult:
    """Make a test, and again over other rates while its curve lies beyond an end.

    The loss falls fastest in the last decade, or has not changed at all: four decades up. It rises
    before it has fallen, or the rate to take is within the first decade: four decades down.
    Points are as dense as before. An end that was asked for stays, and so does a linear range.
    Where no range gives a suggestion, the first one is the result.

    Args:
        test: Makes one test.
        section: The range, with None for both ends where it may move.
    """
    first = result = test(section)
    way = moves = 0
    free = section.start is None and section.stop is None and section.mode == "exponential"
    start, stop = ends(section)
    while free and moves < MOVES and (wanted := _way(result, start)) not in (0, -way):
        way, moves = wanted, moves + 1
        start, stop = start * _BY**way, stop * _BY**way
        result = test(replace(section, start=start, stop=stop))
    if not moves:
        return result
    said = "had hardly fallen yet" if way > 0 else "rose at once"
    where = "lower" if way > 0 else "higher"
    if result.take is None:
        why = f"{first.why_none}; from {start:.0e} to {stop:.0e} there is none, either"
        return first if first.take is not None else replace(first, why_none=why)
    note = f"the rates go from {start:.0e} to {stop:.0e}, since at {where} ones the loss {said}"
    return replace(result, notes=(note, *result.notes))


def _way(result: RangeResult, start: float) -> int:
    """Return whether the range has to go up (1), down (-1) or nowhere (0)."""
    curve = result.curve
    if not curve.points:
        return 0  # not finite before there is a rate
    if curve.stopped is None:
        return int(result.take is None or _still_falls(result))
    return -int(result.take is None or result.take < 10 * start)


def _still_falls(result: RangeResult) -> bool:
    """Say whether the smallest value is the last, and the steepest fall in the last decade."""
    reading, steepest = result.curve.read(), result.suggested["steepest"]
    last = int(np.argmin(reading.values)) == len(reading.values) - 1
    return last and (steepest is None or bool(steepest > reading.lrs[-1] / 10))
