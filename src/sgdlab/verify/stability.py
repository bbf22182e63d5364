"""The limit of stability as runs show it: how fast modes grow, and where they start to."""

import math

import numpy as np
from torch import Tensor


def around(limit: float) -> np.ndarray:
    """Return 40 ascending curvatures about a limit of stability, the nearest within 1e-6 of it.

    Close to the limit since the dominant root may turn into a complex pair a thousandth below.
    """
    offsets = np.geomspace(1e-6, 0.03, 20)
    return limit * (1 + np.concatenate([-offsets[::-1], offsets]))


def growth(iterates: Tensor) -> np.ndarray:
    """Return the modulus of the dominant mode of each coordinate, from its last 60 iterates.

    Fits ``x_{t+1} = a·x_t + b·x_{t-1}`` by least squares; the largest root of ``z² = a·z + b``.

    Args:
        iterates: ``[T, d]``.
    """
    found: list[float] = []
    for x in iterates[-60:].T.numpy():
        x = x / np.abs(x).max()
        known = np.stack([x[1:-1], x[:-2]], axis=1)
        a, b = np.linalg.lstsq(known, x[2:], rcond=1e-9)[0]
        found.append(float(np.abs(np.roots([1.0, -a, -b])).max()))
    return np.array(found)


def largest_stable(curvatures: np.ndarray, moduli: np.ndarray) -> float:
    """Return where the modulus passes 1, by interpolation; NaN when it does not, or comes back."""
    crossings = np.flatnonzero((moduli[:-1] < 1) & (moduli[1:] >= 1))
    if len(crossings) != 1 or moduli[0] >= 1:
        return math.nan
    i = int(crossings[0])
    share = (1 - moduli[i]) / (moduli[i + 1] - moduli[i])
    return float(curvatures[i] + share * (curvatures[i + 1] - curvatures[i]))
