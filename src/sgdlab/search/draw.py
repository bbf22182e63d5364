"""Settings drawn from a space without looking at results: Sobol sequences and random numbers."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from sgdlab.search.space import Dimension, Value

Settings = dict[str, Value]
Point = Sequence[float]


def seed_of(text: str, size: int = 8) -> int:
    """Return a whole number below ``256^size``, the same for the same text everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size], "little")


def sobol_points(dimensions: int, seed: int, name: str) -> Iterator[Point]:
    """Yield the points of a scrambled Sobol sequence in the unit cube (Owen 1998), without end.

    The first points of a longer search are those of a shorter one.

    Args:
        dimensions: The dimension of the cube.
        seed: Seed of the search.
        name: The name of the optimizer, each of which has a scramble of its own.
    """
    if not dimensions:
        while True:
            yield ()
    from scipy.stats import qmc  # takes a second to import

    sobol = qmc.Sobol(dimensions, scramble=True, rng=seed_of(f"{seed}/{name}"))
    # The sequence is balanced at powers of two, and warns at any other number of points.
    power = 4
    yield from sobol.random_base2(power).tolist()
    while True:
        yield from sobol.random_base2(power).tolist()
        power += 1


def random_points(dimensions: int, seed: int, name: str) -> Iterator[Point]:
    """Yield independent points, uniform in the unit cube, without end; arguments as above."""
    generator = np.random.default_rng(seed_of(f"random/{seed}/{name}"))
    while True:
        yield generator.random(dimensions).tolist()


POINTS: Mapping[str, Callable[[int, int, str], Iterator[Point]]] = {
    "sobol": sobol_points,
    "random": random_points,
}


def different(
    dimensions: Sequence[Dimension], points: Iterator[Point], seen: set[str], patience: int
) -> Iterator[Settings]:
    """Yield the settings at the points, none of them twice.

    Args:
        dimensions: What is searched.
        points: Points of the unit cube.
        seen: Names of settings (`name_of`) that were there before; those yielded are added.
        patience: Points in a row that bring nothing new before the space counts as exhausted.
    """
    idle = 0
    while idle < patience:
        point = next(points)
        settings = {d.key: d.at(u) for d, u in zip(dimensions, point, strict=True)}
        name = name_of(settings)
        idle = idle + 1 if name in seen else 0
        if name not in seen:
            seen.add(name)
            yield settings


def name_of(settings: Settings) -> str:
    """Return a text that differs between different settings."""
    return repr(sorted(settings.items()))


def patience_for(trials: int) -> int:
    """Return after how many repeats a search of so many trials gives up.

    Of ``trials`` equally likely settings the last one stays unseen in ``20 trials`` independent
    draws with probability ``e^-20``.
    """
    return 1000 + 20 * trials
