"""The noisy quadratic model: a diagonal quadratic with fresh gradient noise."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sgdlab.checks import require_number, require_one_of, require_whole
from sgdlab.datasets.base import Examples
from sgdlab.datasets.problem import Function, Problem, without_data
from sgdlab.datasets.projection import Projection, projection_of
from sgdlab.datasets.spectrum import diagonal_optimum, eigenvalues_of


class NoisyQuadratic(Function):
    """``½ Σ_j h_j (w_j - w*_j)²`` with the noise of `Function` in training.

    Args:
        start: Where ``w`` starts, ``[d]``.
        minimum: ``w*``, ``[d]``.
        projection: A convex set to stay in.
        std: Standard deviation of the gradient noise of one example, by coordinate, ``[d]``.
        eigenvalues: ``h``, ``[d]``.
    """

    eigenvalues: Tensor

    def __init__(
        self,
        start: Tensor,
        minimum: Tensor,
        projection: Projection | None,
        std: Tensor | None,
        eigenvalues: Tensor,
    ) -> None:
        super().__init__(start, minimum, projection, std)
        self.register_buffer("eigenvalues", eigenvalues)

    def value(self) -> Tensor:
        """Return ``f(w)``, exactly 0 at ``w*``."""
        return 0.5 * (self.eigenvalues * (self.w - self.minimum).square()).sum()


def noisy_quadratic(
    *,
    eigenvalues: Sequence[float] | None,
    dim: int,
    condition: float,
    spectrum: str,
    repetitions: int,
    minimum: float,
    start: float,
    noise: float,
    noise_shape: str,
    n_samples: int,
    projection: str,
    radius: float,
) -> Examples:
    """Make ``f(w) = ½ Σ_j h_j (w_j - w*_j)²`` with gradient noise that is drawn anew every time.

    In training the gradient of a batch of ``B`` examples is ``h ∘ (w - w*) + z`` with
    ``z ~ N(0, C/B)``: ``C = σ² I`` (``isotropic``) or ``C = σ² diag(h)`` (``hessian``, as in the
    source, where the noise is that of samples from the model itself). One ``z`` is drawn for the
    batch, from torch's global generator. The minimum is ``f(w*) = 0``; ``κ = max h / min h`` over
    the positive ``h``. In evaluation there is no noise: ``gap`` is ``f(w)`` itself.

    `sgdlab.datasets.quadratic` has the noise of a finite sample instead, which cancels over an
    epoch, and may be rotated.

    Args:
        eigenvalues: ``h``, numbers from 0; null: made from the next three.
        dim: How many eigenvalues.
        condition: ``κ``, for eigenvalues from 1 down to ``1/κ``.
        spectrum: ``log`` (evenly spaced logarithms) or ``linear``.
        repetitions: Coordinates to each eigenvalue, next to each other. With an optimizer that
            treats coordinates alone and in the same way they are independent repetitions of one
            experiment, and ``f`` is their sum.
        minimum: Every coordinate of ``w*``.
        start: Every coordinate of ``w_0 - w*``.
        noise: ``σ``, at least 0.
        noise_shape: ``isotropic`` or ``hessian``.
        n_samples: Examples of an epoch, all the same.
        projection: ``none``, ``box`` (``|w_j| <= radius``) or ``ball`` (``‖w‖ <= radius``), to
            which start and every update are projected; the optimum is then that on the set.
        radius: The radius of the box or ball about 0.

    Raises:
        InputError: An impossible setting.

    Source: Zhang, Li, Nado, Martens, Sachdeva, Dahl, Shallue and Grosse (2019), "Which algorithmic
    choices matter at which batch sizes? Insights from a noisy quadratic model".
    """
    copies = require_whole("dataset.repetitions", repetitions)
    h = np.repeat(eigenvalues_of(eigenvalues, dim, condition, spectrum), copies)
    target = np.full(len(h), require_number("dataset.minimum", minimum, -np.inf))
    sigma = require_number("dataset.noise", noise)
    shape = require_one_of("dataset.noise_shape", noise_shape, ("isotropic", "hessian"))
    std = sigma * (np.sqrt(h) if shape == "hessian" else np.ones_like(h))
    convex_set = projection_of(projection, radius)
    function = NoisyQuadratic(
        start=torch.from_numpy(target + require_number("dataset.start", start, -np.inf)),
        minimum=torch.from_numpy(target),
        projection=convex_set,
        std=torch.from_numpy(std) if sigma > 0 else None,
        eigenvalues=torch.from_numpy(h),
    )
    best = diagonal_optimum(h, target, convex_set)
    problem = Problem(function, best, float(h.max()), float(h[h > 0].min()))
    return Examples(*without_data(n_samples), task="optimization", problem=problem)
