"""A full grid with exactly as many points as there are trials."""

import math
from collections.abc import Iterator, Sequence
from itertools import count, product

from sgdlab.errors import InputError
from sgdlab.search.draw import Settings
from sgdlab.search.space import Dimension


def grid(dimensions: Sequence[Dimension], trials: int) -> list[Settings]:
    """Return every combination of evenly spaced values (`Dimension.spread`), ``trials`` in all.

    The learning rate has the most points; apart from that, they are as equal as can be.

    Args:
        dimensions: The settings that are searched.
        trials: Number of points of the grid.

    Raises:
        InputError: No grid over these dimensions has exactly so many points.
    """
    counts = points_per_dimension(dimensions, trials)
    axes = [d.spread(n) for d, n in zip(dimensions, counts, strict=True)]
    keys = [d.key for d in dimensions]
    return [dict(zip(keys, values, strict=True)) for values in product(*axes)]


def points_per_dimension(dimensions: Sequence[Dimension], trials: int) -> tuple[int, ...]:
    """Factorise ``trials``: the number of points of each dimension, at most its `size`.

    Of all factorisations ``n_1 n_2 … = trials`` the one with the smallest sum of
    ``(log n_i)^2``; of several the one with most points for ``lr``, then for what stands first in
    the space. So ``lr`` has the most points, unless its own values are too few.

    Raises:
        InputError: There is none; names the nearest numbers of trials that have one.
    """
    sizes = [d.size for d in dimensions]
    rate = next((i for i, d in enumerate(dimensions) if d.key == "lr"), None)

    def preference(counts: tuple[int, ...]) -> tuple[float, int, list[int]]:
        unequal = math.fsum(math.log(n) ** 2 for n in counts)
        lr = 0 if rate is None else counts[rate]
        return round(unequal, 9), -lr, [-n for n in counts]

    found = list(_factorisations(trials, sizes))
    if not found:
        raise InputError(_refusal(dimensions, sizes, trials))
    return min(found, key=preference) if dimensions else ()


def _factorisations(number: int, sizes: Sequence[float]) -> Iterator[tuple[int, ...]]:
    if not sizes:
        if number == 1:
            yield ()
        return
    for factor in (n for n in range(1, number + 1) if number % n == 0 and n <= sizes[0]):
        for rest in _factorisations(number // factor, sizes[1:]):
            yield (factor, *rest)


def _refusal(dimensions: Sequence[Dimension], sizes: Sequence[float], trials: int) -> str:
    def possible(number: int) -> bool:
        return next(_factorisations(number, sizes), None) is not None

    fewer = next(n for n in count(trials - 1, -1) if possible(n))
    largest = math.prod(sizes)
    more = next((n for n in range(trials + 1, int(largest) + 1) if possible(n)), None)
    right = f"trials={fewer}" if more is None else f"trials={fewer} or trials={more}"
    values = ", ".join(f"{d.key} ({size:.0f})" for d, size in zip(dimensions, sizes, strict=True))
    lack = f"no grid over the values of {values} has {trials} points"
    return f"trials={trials}: {lack}; {right} would do"
