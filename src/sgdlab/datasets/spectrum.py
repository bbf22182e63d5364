"""Eigenvalues of quadratic test problems, and their minimum on a convex set."""

import numpy as np

from sgdlab.checks import require_number, require_numbers, require_one_of, require_whole
from sgdlab.datasets.minimum import on_sphere
from sgdlab.datasets.projection import Ball, Box, Projection
from sgdlab.errors import InputError


def eigenvalues_of(
    eigenvalues: object, dim: object, condition: object, spectrum: object
) -> np.ndarray:
    """Return the eigenvalues of a Hessian, float64 ``[d]``.

    Args:
        eigenvalues: A list of numbers from 0, one of them positive; or None, and the others count.
        dim: How many there are.
        condition: ``κ``, the largest, which is 1, over the smallest.
        spectrum: ``log`` or ``linear``: spaced evenly from 1 down to ``1/κ``, or their logarithms.

    Raises:
        InputError: Values of which there is no spectrum.
    """
    count = require_whole("dataset.dim", dim)
    smallest = 1 / require_number("dataset.condition", condition, 1)
    kind = require_one_of("dataset.spectrum", spectrum, ("log", "linear"))
    if eigenvalues is None:
        spaced = np.geomspace if kind == "log" else np.linspace
        return spaced(1.0, smallest, count)
    values = np.array(require_numbers("dataset.eigenvalues", eigenvalues, None, -np.inf))
    if values.min() < 0 or values.max() == 0:
        raise InputError(
            f"dataset.eigenvalues={eigenvalues}: must be numbers from 0, one of them positive"
        )
    return values


def diagonal_optimum(h: np.ndarray, c: np.ndarray, projection: Projection | None) -> float:
    """Return the smallest ``½ Σ h_i (v_i - c_i)²`` for ``v`` in a set.

    In a box every coordinate is clipped. On a ball that excludes the minimum,
    ``v_i = h_i c_i / (h_i + m)`` with the multiplier ``m > 0`` for which ``‖v‖ = radius``;
    a coordinate with ``h_i = 0`` does not matter and is 0.

    Args:
        h: Eigenvalues, ``[d]``.
        c: The minimum without constraint, in the coordinates of ``h``, ``[d]``.
        projection: The set, symmetric about 0.
    """
    if projection is None:
        return 0.0
    matters = h > 0
    h, c = h[matters], c[matters]
    if projection.holds(c):
        return 0.0
    if isinstance(projection, Box):
        v = c.clip(-projection.radius, projection.radius)
    else:
        assert isinstance(projection, Ball)
        v = on_sphere(lambda multiplier: h * c / (h + multiplier), projection.radius)
    return float(0.5 * (h * (v - c) ** 2).sum())
