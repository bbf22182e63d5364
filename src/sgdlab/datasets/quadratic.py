"""A quadratic with a chosen spectrum and gradient noise of a finite sample."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sgdlab.checks import require_number, require_whole
from sgdlab.datasets.base import Examples
from sgdlab.datasets.minimum import Smooth, minimise
from sgdlab.datasets.problem import Function, Problem, without_data
from sgdlab.datasets.projection import Box, Projection, projection_of
from sgdlab.datasets.spectrum import diagonal_optimum, eigenvalues_of
from sgdlab.errors import InputError


class Quadratic(Function):
    """``½ Σ_j h_j (q_jᵀ(w - w*))²`` plus, in training, ``ξ_iᵀ(w - w*)`` for example ``i``.

    Args:
        start: Where ``w`` starts, ``[d]``.
        minimum: ``w*``, ``[d]``.
        projection: A convex set to stay in.
        eigenvalues: ``h``, ``[d]``.
        rotation: Orthogonal ``[d, d]`` with the eigenvectors ``q_j`` as columns; None: the axes.
        noisy: Whether the rows ``x_i`` are the noise vectors ``ξ_i``.
    """

    eigenvalues: Tensor
    rotation: Tensor | None

    def __init__(
        self,
        start: Tensor,
        minimum: Tensor,
        projection: Projection | None,
        eigenvalues: Tensor,
        rotation: Tensor | None,
        noisy: bool,
    ) -> None:
        super().__init__(start, minimum, projection)
        self.register_buffer("eigenvalues", eigenvalues)
        self.register_buffer("rotation", rotation)
        self._noisy = noisy

    def value(self) -> Tensor:
        """Return ``f(w)``: a sum of squares, exactly 0 at ``w*`` and never below."""
        v = self.w - self.minimum
        if self.rotation is not None:
            v = v @ self.rotation
        return 0.5 * (self.eigenvalues * v.square()).sum()

    def noise(self, x: Tensor) -> Tensor | None:
        """Return ``ξ_iᵀ(w - w*)``, ``[n]``, for the rows ``ξ_i`` of a batch."""
        return x @ (self.w - self.minimum) if self._noisy else None


def quadratic(
    *,
    eigenvalues: Sequence[float] | None,
    dim: int,
    condition: float,
    spectrum: str,
    rotate: bool,
    minimum: float,
    start: float,
    noise: float,
    n_samples: int,
    random_state: int,
    projection: str,
    radius: float,
) -> Examples:
    """Make ``f(w) = ½ (w - w*)ᵀ H (w - w*)``, a mean over a finite sample of noisy functions.

    ``∇f(w) = H (w - w*)``; the minimum is ``f(w*) = 0``; ``L`` and ``μ`` are the largest and the
    smallest positive eigenvalue of ``H = Q diag(h) Qᵀ``, ``κ = L/μ``.

    With noise, example ``i`` is ``f_i(w) = f(w) + ξ_iᵀ(w - w*)``, ``n_samples`` of them, whose
    ``ξ_i`` have mean exactly 0 and standard deviation ``noise`` in each coordinate (normal, in
    opposite pairs). An epoch's batches take every example once, so that its noise cancels; batches
    of ``B`` out of ``N`` have the variance ``noise²/B · (N - B)/(N - 1)``, the full batch none.
    `sgdlab.datasets.noisy_quadratic` instead draws fresh noise that never cancels. In evaluation
    there is no noise: ``gap`` is ``f(w)`` itself.

    Args:
        eigenvalues: ``h``, numbers from 0; null: made from the next three.
        dim: ``d``, the number of variables.
        condition: ``κ``, for eigenvalues from 1 down to ``1/κ``.
        spectrum: ``log`` (evenly spaced logarithms) or ``linear``.
        rotate: Draw ``Q`` at random, uniformly, so that the eigenvectors are not the axes (which
            coordinate-wise methods such as Adam depend on); false: ``Q = I``.
        minimum: Every coordinate of ``w*``.
        start: Distance of the starting point from ``w*`` along every eigenvector:
            ``w_0 = w* + start · Σ_j q_j``, so ``f(w_0) = start²/2 · Σ_j h_j``.
        noise: ``σ``, the standard deviation of a single example's gradient, in each coordinate.
        n_samples: Examples of an epoch; without noise they are all the same.
        random_state: Seed of ``Q`` and of the noise, apart from the seed of the run.
        projection: ``none``, ``box`` (``|w_j| <= radius``) or ``ball`` (``‖w‖ <= radius``), to
            which start and every update are projected; the optimum is then that on the set.
        radius: The radius of the box or ball about 0.

    Raises:
        InputError: An impossible setting.

    Source: Nesterov (2004), "Introductory lectures on convex optimization", section 2.1.
    """
    h = eigenvalues_of(eigenvalues, dim, condition, spectrum)
    target = np.full(len(h), require_number("dataset.minimum", minimum, -np.inf))
    random = np.random.RandomState(require_whole("dataset.random_state", random_state, 0))
    q = _rotation(random, len(h)) if rotate else None
    distance = np.full(len(h), require_number("dataset.start", start, -np.inf))
    convex_set = projection_of(projection, radius)
    sigma = require_number("dataset.noise", noise)
    x, y = without_data(n_samples)
    if sigma > 0:
        x = _centred(random, n_samples, len(h), sigma)
    function = Quadratic(
        start=torch.from_numpy(target + (distance if q is None else q @ distance)),
        minimum=torch.from_numpy(target),
        projection=convex_set,
        eigenvalues=torch.from_numpy(h),
        rotation=None if q is None else torch.from_numpy(q),
        noisy=sigma > 0,
    )
    best = _optimum(h, q, target, convex_set)
    problem = Problem(function, best, float(h.max()), float(h[h > 0].min()))
    return Examples(x, y, task="optimization", problem=problem)


def _rotation(random: np.random.RandomState, dim: int) -> np.ndarray:
    """Return an orthogonal matrix, uniformly distributed (Mezzadri 2007)."""
    q, r = np.linalg.qr(random.standard_normal((dim, dim)))
    return q * np.sign(np.diag(r))


def _centred(random: np.random.RandomState, count: int, dim: int, std: float) -> Tensor:
    """Return float32 ``[count, dim]`` with column sums exactly 0 and standard deviation ``std``."""
    if count < 2:
        raise InputError(f"dataset.n_samples={count}: noise that cancels needs two examples")
    half = random.standard_normal((count // 2, dim))
    half *= std / np.sqrt(2 * (half**2).sum(axis=0) / count)
    middle = np.zeros((count % 2, dim))
    return torch.from_numpy(np.concatenate([half, -half, middle])).float()


def _optimum(
    h: np.ndarray, q: np.ndarray | None, target: np.ndarray, projection: Projection | None
) -> float:
    if q is None:
        return diagonal_optimum(h, target, projection)
    if not isinstance(projection, Box):
        return diagonal_optimum(h, target @ q, projection)  # a ball looks the same from any side
    root = np.sqrt(h)[:, None] * q.T
    hessian = root.T @ root

    def value(w: np.ndarray) -> float:
        return 0.5 * float(((root @ (w - target)) ** 2).sum())

    if projection.holds(target):
        return 0.0
    smooth = Smooth(value, lambda w: (hessian @ (w - target), hessian))
    return value(minimise(smooth, len(h), projection))
