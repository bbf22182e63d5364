"""A curved narrow valley in the plane."""

from collections.abc import Sequence

from torch import Tensor

from sgdlab.datasets.base import Examples
from sgdlab.datasets.plane import plane
from sgdlab.datasets.problem import Function


class Rosenbrock(Function):
    """``(1 - x)² + 100 (y - x²)²`` of ``w = (x, y)``."""

    def value(self) -> Tensor:
        """Return ``f(w)``, exactly 0 at (1, 1)."""
        x, y = self.w
        return (1 - x).square() + 100 * (y - x.square()).square()


def rosenbrock(
    *, start: Sequence[float], noise: float, n_samples: int, projection: str, radius: float
) -> Examples:
    """Make ``f(x, y) = (1 - x)² + 100 (y - x²)²``, not convex, with a curved narrow valley.

    ``∂f/∂x = -2 (1 - x) - 400 x (y - x²)``, ``∂f/∂y = 200 (y - x²)``. The minimum is
    ``f(1, 1) = 0``; the Hessian there has the eigenvalues 1001.6 and 0.3994, ``κ = 2508``.

    Args:
        start: ``(x, y)`` to start from; the source's is (-1.2, 1).
        noise: Standard deviation ``σ`` of the gradient noise of one example, in each coordinate;
            drawn anew for every batch in training, with variance ``σ²/B``; none in evaluation.
        n_samples: Examples of an epoch, all the same.
        projection: ``none``, ``box`` (``|x|, |y| <= radius``) or ``ball`` (``‖w‖ <= radius``), to
            which start and every update are projected; it must hold the minimum.
        radius: The radius of the box or ball about 0.

    Raises:
        InputError: An impossible setting.

    Source: Rosenbrock (1960), "An automatic method for finding the greatest or least value of a
    function".
    """
    return plane(Rosenbrock, (1.0, 1.0), start, noise, n_samples, projection, radius)
