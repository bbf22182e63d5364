"""Minima of smooth convex functions on a box or a ball, to the last digits of float64."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from sgdlab.datasets.projection import Ball, Projection
from sgdlab.errors import InputError


@dataclass(frozen=True)
class Smooth:
    """A convex function of ``w [d]`` in float64.

    Attributes:
        value: ``f(w)``.
        slope: Gradient ``[d]`` and Hessian ``[d, d]`` at ``w``.
    """

    value: Callable[[np.ndarray], float]
    slope: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

    def plus(self, multiplier: float) -> "Smooth":
        """Return ``f(w) + multiplier/2 · ‖w‖²``."""

        def slope(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            gradient, hessian = self.slope(w)
            return gradient + multiplier * w, hessian + multiplier * np.eye(len(w))

        return Smooth(lambda w: self.value(w) + 0.5 * multiplier * float(w @ w), slope)


def minimise(function: Smooth, dim: int, projection: Projection | None) -> np.ndarray:
    """Return a minimiser of a convex function, on a set where one is given.

    Without a set: Newton's method from 0 with backtracking; where the Hessian is singular, by the
    step of smallest norm. On a box: the same with projection, over the coordinates that are free
    (Bertsekas 1982). On a ball: ``∇f(w) + m·w = 0`` with the multiplier ``m >= 0`` at which
    ``‖w‖`` is the radius.

    Args:
        function: The function to minimise, bounded below.
        dim: The dimension of its argument.
        projection: The set, None for the whole space.

    Raises:
        InputError: The method did not arrive.
    """
    if not isinstance(projection, Ball):
        return _newton(function, dim, np.inf if projection is None else projection.radius)
    free = _newton(function, dim, np.inf)
    if projection.holds(free):
        return free
    return on_sphere(lambda m: _newton(function.plus(m), dim, np.inf), projection.radius)


def on_sphere(path: Callable[[float], np.ndarray], radius: float) -> np.ndarray:
    """Return ``path(m)`` where ``‖path(m)‖ = radius``.

    Args:
        path: A vector for each multiplier ``m >= 0``; its norm exceeds ``radius`` at 0 and falls
            to 0.
        radius: The norm that is wanted, positive.
    """
    high = 1.0
    while np.linalg.norm(path(high)) > radius:
        high *= 4
    root = brentq(lambda m: np.linalg.norm(path(m)) - radius, 0.0, high, xtol=1e-15 * high)
    w = path(float(root))  # type: ignore[arg-type]
    # The value errs by the multiplier times the norm's error, but only by the square of an error
    # along the sphere: so the norm is made exact.
    return w * (radius / np.linalg.norm(w))


def _newton(function: Smooth, dim: int, bound: float) -> np.ndarray:
    w = np.zeros(dim)
    first = _residual(w, function.slope(w)[0], bound)
    for _ in range(500):
        gradient, hessian = function.slope(w)
        free = ~_held(w, gradient, bound)
        step = -gradient
        step[free] = -np.linalg.lstsq(hessian[np.ix_(free, free)], gradient[free])[0]
        settled = bool((np.abs(w[~free]) == bound).all())
        if settled and -gradient[free] @ step[free] <= 1e-14 * abs(function.value(w)):
            w[free] += step[free]  # converges quadratically: exact after this one
            w = w.clip(-bound, bound)
            break
        new = _backtrack(function, w, step, gradient, free, bound)
        if new is None:
            break
        w = new
    if _residual(w, function.slope(w)[0], bound) > 1e-8 * first:
        raise InputError("the optimum could not be computed: change the settings of the problem")
    return w


def _residual(w: np.ndarray, gradient: np.ndarray, bound: float) -> float:
    """Return how far a projected gradient step moves: 0 at a minimum only."""
    return float(np.linalg.norm(w - (w - gradient).clip(-bound, bound)))


def _held(w: np.ndarray, gradient: np.ndarray, bound: float) -> np.ndarray:
    """Return which coordinates the bounds hold back.

    Those *near* a bound count, too: otherwise steps could shrink without end on the way there.
    """
    near = bound
    if bound < np.inf:
        near -= min(1e-3 * bound, _residual(w, gradient, bound))
    return ((w >= near) & (gradient < 0)) | ((w <= -near) & (gradient > 0))


def _backtrack(
    function: Smooth,
    w: np.ndarray,
    step: np.ndarray,
    gradient: np.ndarray,
    free: np.ndarray,
    bound: float,
) -> np.ndarray | None:
    """Return the point along the projected step that lowers the value enough; None: none does."""
    value, size = function.value(w), 1.0
    while size > 1e-12:
        new = (w + size * step).clip(-bound, bound)
        gain = -size * gradient[free] @ step[free] + gradient[~free] @ (w - new)[~free]
        if function.value(new) < value - 1e-4 * float(gain):
            return new
        size /= 2
    return None
