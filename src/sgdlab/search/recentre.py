"""A space moved to where its best trial lies, when that is at the edge of its bounds.

A best value close to a bound says that better ones may lie beyond it (the tuning playbook asks
for a wider space then); what is left of the budget goes there.
"""

import dataclasses
import math
from collections.abc import Sequence

from sgdlab.search.draw import Settings
from sgdlab.search.space import Dimension

# Share of the range, on its scale, that counts as its edge.
EDGE = 0.1


def recentred(dimensions: Sequence[Dimension], best: Settings) -> list[Dimension]:
    """Return the dimensions, those moved whose best value lies within `EDGE` of a bound.

    Args:
        dimensions: The settings that were searched.
        best: The settings of the best trial.
    """
    return [_moved(d, best[d.key]) for d in dimensions]


def _moved(dimension: Dimension, value: object) -> Dimension:
    if dimension.choices or not isinstance(value, int | float):
        return dimension
    if EDGE < dimension.position(value) < 1 - EDGE:
        return dimension
    low, high = _around(dimension, value)
    if not (math.isfinite(high - low) and low < high and (low > 0 or not dimension.log)):
        return dimension  # no such numbers
    return dataclasses.replace(dimension, low=low, high=high)


def _around(dimension: Dimension, value: float) -> tuple[float, float]:
    """Return bounds as far apart as those of the dimension, centred on ``value``.

    On a logarithmic scale they are as far apart in the logarithm. Below the smallest legal value
    (`_limits`) they begin there instead; above the largest, the dimension keeps its own.
    """
    low, high = dimension.low, dimension.high
    floor, ceiling = _limits(dimension)
    if dimension.log:
        half = math.sqrt(high / low)
        first, last = value / half, value * half
        if first < floor:
            first, last = floor, floor * (high / low)
    else:
        half = (high - low) / 2
        first, last = value - half, value + half
        if first < floor:
            first, last = floor, floor + (high - low)
    if last > ceiling:
        return low, high
    if dimension.integer:
        first = float(round(first))
        last = float(round(last)) if dimension.log else first + (high - low)
    return first, last


def _limits(dimension: Dimension) -> tuple[float, float]:
    """Return between which values bounds may move.

    Bounds say what a setting can be: what is never negative stays so; what is positive stays
    positive, on a linear scale down to a tenth of its low; whole numbers from 1 stay from 1; what
    lies in [0, 1] on a linear scale, such as a momentum, does not pass its high. A learning rate
    may.
    """
    low, high = dimension.low, dimension.high
    if dimension.integer:
        floor = min(low, 1.0) if low >= 0 else -math.inf
    else:
        floor = 0.0 if dimension.log else low / 10 if low >= 0 else -math.inf
    fraction = not dimension.log and low >= 0 and high <= 1
    rate = dimension.key == "lr" or dimension.key.endswith(".lr")
    return floor, high if fraction and not rate else math.inf
