"""The settings that a search without results draws, all at once."""

from collections.abc import Sequence
from itertools import islice

from sgdlab.search.draw import POINTS, Settings, different, patience_for
from sgdlab.search.space import Dimension


def draw(
    dimensions: Sequence[Dimension], trials: int, seed: int, name: str, method: str = "sobol"
) -> list[Settings]:
    points = POINTS[method](len(dimensions), seed, name)
    return list(islice(different(dimensions, points, set(), patience_for(trials)), trials))
