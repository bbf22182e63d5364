"""The points of the axes that a comparison is repeated along."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TypeVar

GRID = "grid"
"""The design that combines all values; any other moves one key at a time from the base point."""

_Value = TypeVar("_Value")


def points_of(
    axes: Mapping[str, Sequence[_Value]], base: Mapping[str, _Value], design: str
) -> list[dict[str, _Value]]:
    """Return the points, once each.

    Args:
        axes: The values of each key.
        base: The value that each key has where nothing is moved.
        design: `GRID`, or else one key at a time.
    """
    if design == GRID:
        return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    found: list[dict[str, _Value]] = []
    for key, values in axes.items():
        for value in values:
            point = {**base, key: value}
            if point not in found:
                found.append(point)
    return found
