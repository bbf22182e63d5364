"""Two minima of one depth in the plane, a sharp one and a wide one."""

from collections.abc import Sequence

from torch import Tensor

from sgdlab.datasets.base import Examples
from sgdlab.datasets.plane import plane
from sgdlab.datasets.problem import Function

SHARP, WIDE = 40.0, 1.0
"""Curvature in every direction at the two minima."""


class TwoWells(Function):
    """``p q/(p + q)`` of ``w = (x, y)``; ``p = 20 ((x + 1)² + y²)``, ``q = ½ ((x - 1)² + y²)``."""

    @property
    def minima(self) -> Sequence[tuple[float, ...]]:
        """The bottoms of both wells."""
        return [(-1.0, 0.0), (1.0, 0.0)]

    def value(self) -> Tensor:
        """Return ``f(w)``, exactly 0 at (-1, 0) and (1, 0)."""
        x, y = self.w
        p = 0.5 * SHARP * ((x + 1).square() + y.square())
        q = 0.5 * WIDE * ((x - 1).square() + y.square())
        return p * q / (p + q)


def two_wells(
    *, start: Sequence[float], noise: float, n_samples: int, projection: str, radius: float
) -> Examples:
    """Make ``f = p q / (p + q)`` of two paraboloids, not convex: a sharp and a wide well.

    With ``p = ½ 40 ((x + 1)² + y²)`` and ``q = ½ ((x - 1)² + y²)``: where ``p`` is small, ``f``
    is almost ``p``, and the same for ``q``, so ``f`` has two minima of the value 0, at (-1, 0)
    with the Hessian ``40 I`` and at (1, 0) with the Hessian ``I``;
    ``∇f = (q² ∇p + p² ∇q) / (p + q)²``. Between them the pass is at
    ``x = (1 - c) / (1 + c) = -0.548``, ``c = 40^⅓``, at the height ``80 / (1 + c)³ = 0.927``.
    Gradient noise that reaches over the pass leaves the sharp well soon and seldom comes back: at
    a temperature ``T`` a well of curvature ``h`` in the plane holds ``w`` for a share of time in
    proportion to ``1/h``. ``w*`` is the wide one.

    Args:
        start: ``(x, y)`` to start from.
        noise: Standard deviation ``σ`` of the gradient noise of one example, in each coordinate;
            drawn anew for every batch in training, with variance ``σ²/B``; none in evaluation.
        n_samples: Examples of an epoch, all the same.
        projection: ``none``, ``box`` (``|x|, |y| <= radius``) or ``ball`` (``‖w‖ <= radius``), to
            which start and every update are projected; it must hold the minimum.
        radius: The radius of the box or ball about 0.

    Raises:
        InputError: An impossible setting.

    Source: our own, after Kramers (1940), "Brownian motion in a field of force and the diffusion
    model of chemical reactions"; wide minima under small batches: Keskar, Mudigere, Nocedal,
    Smelyanskiy and Tang (2017), "On large-batch training for deep learning".
    """
    return plane(TwoWells, (1.0, 0.0), start, noise, n_samples, projection, radius)
