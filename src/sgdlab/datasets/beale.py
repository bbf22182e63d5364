"""A plateau with sharp corners in the plane."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sgdlab.datasets.base import Examples
from sgdlab.datasets.plane import plane
from sgdlab.datasets.problem import Function

_TARGETS = (1.5, 2.25, 2.625)


class Beale(Function):
    """``Σ_k (c_k - x (1 - y^k))²`` of ``w = (x, y)`` with ``c = (1.5, 2.25, 2.625)``."""

    def value(self) -> Tensor:
        """Return ``f(w)``, exactly 0 at (3, ½)."""
        x, y = self.w
        residuals = (c - x * (1 - y**k) for k, c in enumerate(_TARGETS, start=1))
        return torch.stack([r.square() for r in residuals]).sum()


def beale(
    *, start: Sequence[float], noise: float, n_samples: int, projection: str, radius: float
) -> Examples:
    """Make ``f(x, y) = Σ_k (c_k - x (1 - y^k))²``, ``c = (1.5, 2.25, 2.625)``: not convex.

    With ``r_k = c_k - x (1 - y^k)``: ``∂f/∂x = -2 Σ_k r_k (1 - y^k)``,
    ``∂f/∂y = 2 Σ_k r_k x k y^(k-1)``. The minimum is ``f(3, ½) = 0``; the Hessian there has the
    eigenvalues 48.98 and 0.3015, ``κ = 162``. A plateau around it, and walls beyond: ``f`` grows
    with the eighth power.

    Args:
        start: ``(x, y)`` to start from; the usual one is (1, 1).
        noise: Standard deviation ``σ`` of the gradient noise of one example, in each coordinate;
            drawn anew for every batch in training, with variance ``σ²/B``; none in evaluation.
        n_samples: Examples of an epoch, all the same.
        projection: ``none``, ``box`` (``|x|, |y| <= radius``) or ``ball`` (``‖w‖ <= radius``), to
            which start and every update are projected; it must hold the minimum.
        radius: The radius of the box or ball about 0.

    Raises:
        InputError: An impossible setting.

    Source: Beale (1958), "On an iterative method for finding a local minimum of a function of more
    than one variable"; starting point of Moré, Garbow and Hillstrom (1981), problem 5.
    """
    return plane(Beale, (3.0, 0.5), start, noise, n_samples, projection, radius)
