"""Which rate to take, by four rules; each reads a curve of rates and smoothed losses.

The rules are those of fastai (``fastai/callback/schedule.py`` from 2.4 on; Howard and Gugger 2020),
with the differences that each names. A suggestion does not change when the loss is shifted or
multiplied by a positive number.
"""

import bisect
import math
from collections.abc import Mapping

import numpy as np

from sgdlab.range_test.curve import Array

SHARE_LEFT_OUT = 0.1
"""Share of the points that is left out at the start, where the average has hardly begun; as in
fastai."""

INTERVAL = 1.2
"""Decades between the slopes that `slide` compares: fastai's 15 of 100 points from 1e-7 to 10."""

TOLERANCE = 0.04
"""Difference of slopes that `slide` takes for none, as a share of the fall by decade. fastai's .005
of loss by point is .06 by decade, 4 % of a fall of 1.5; it depends on the unit of the loss."""


def steepest(lrs: Array, values: Array) -> float | None:
    """Return the rate where the loss falls fastest: ``argmin d value / d ln lr``.

    The slopes are central differences of second order, up to the minimum of the curve: behind it
    a loss that falls again says nothing. (fastai's ``steep`` has forward differences, over the
    whole curve; Smith reads the same off the plot by eye.)
    """
    end = int(np.argmin(values)) + 1
    if end < 2:
        return None
    slopes = np.gradient(values, np.log(lrs))[:end]
    place = int(np.argmin(slopes))
    return float(lrs[place]) if slopes[place] < 0 else None


def minimum(lrs: Array, values: Array) -> float | None:
    """Return a tenth of the rate with the smallest loss (fastai's ``minimum``; Gugger 2018)."""
    place = int(np.argmin(values))
    return float(lrs[place]) / 10 if place else None


def valley(lrs: Array, values: Array) -> float | None:
    """Return the rate at two thirds of the longest fall.

    The longest strictly falling subsequence has ``m`` points and ends at point ``e``; the valley
    is the ``m`` points up to ``e``, from ``s = e - m + 1``, and its point ``s + ⌊2(m - 1)/3⌋`` is
    taken. "Two thirds through the longest valley" is what fastai's documentation says of its
    ``valley``; its code takes the middle, which was worse on all of our datasets but one.
    """
    lengths = falling_lengths(values)
    end = int(np.argmax(lengths))
    length = int(lengths[end])
    return float(lrs[end - length + 1 + 2 * (length - 1) // 3]) if length > 1 else None


def falling_lengths(values: Array) -> Array:
    """Return for every point how many points the longest falling subsequence up to it has.

    By patience sorting: ``tails[k]`` is the largest value that ends one of ``k + 1`` points.
    """
    lengths = np.ones(len(values))
    tails: list[float] = []
    for index, value in enumerate(-values):
        place = bisect.bisect_left(tails, value)
        tails[place : place + 1] = [float(value)]
        lengths[index] = place + 1
    return lengths


def slide(lrs: Array, values: Array) -> float | None:
    """Return the left end of an interval that slides down from the minimum until it lies flat.

    ``s(r)`` is the slope of the curve by decade, as a share of its whole fall. From the minimum
    leftwards, as long as ``|s(r) - s(l)| > TOLERANCE`` where ``l`` is the last point at least
    `INTERVAL` decades left of ``r``, the suggestion is ``lr_l``.
    """
    decades = np.log10(lrs)
    right = int(np.argmin(values))
    fall = values[0] - values[right]
    if right < 2 or not fall > 0:
        return None
    slopes = np.gradient(values, decades) / fall
    found: float | None = None
    while right > 0:
        # Rates are rounded, too.
        edge = decades[right] - INTERVAL + 1e-9
        left = int(np.searchsorted(decades, edge, side="right")) - 1
        if left < 0 or abs(slopes[right] - slopes[left]) <= TOLERANCE:
            break
        found = float(lrs[left])
        right -= 1
    return found


RULES = {"steepest": steepest, "minimum/10": minimum, "valley": valley, "slide": slide}
"""The rules by their names."""


def suggestions(lrs: Array, values: Array) -> dict[str, float | None]:
    """Return what each rule suggests; None where it has nothing to say."""
    return {name: rule(lrs, values) for name, rule in RULES.items()}


def median(suggested: Mapping[str, float | None]) -> float | None:
    """Return the median of the suggestions, in logarithms: the rate to take.

    Chosen by measurement over each rule by itself: ``docs/lr-find.md``.
    """
    found = [lr for lr in suggested.values() if lr is not None]
    return math.exp(float(np.median(np.log(found)))) if found else None
