"""Least squares, with an L2 penalty if wanted, and a known optimum."""

import numpy as np
import torch
from torch import Tensor

from sgdlab.checks import require_number, require_one_of, require_whole
from sgdlab.datasets.base import Examples
from sgdlab.datasets.diabetes import diabetes
from sgdlab.datasets.minimum import Smooth, minimise
from sgdlab.datasets.problem import Confined, Problem, standardised
from sgdlab.datasets.projection import Projection, projection_of
from sgdlab.errors import InputError


class LeastSquares(Confined):
    """``f_i(w) = ½ (x_iᵀ w - y_i)² + l2/2 · ‖w‖²`` for rows ``(x_i, y_i)``.

    Args:
        start: Where ``w`` starts, ``[d]``.
        projection: A convex set to stay in.
        l2: Weight of the penalty.
    """

    def __init__(self, start: Tensor, projection: Projection | None, l2: float) -> None:
        super().__init__(start, projection)
        self._l2 = l2

    def forward(self, x: Tensor) -> Tensor:
        """Return ``f_i(w) [n]`` for the rows ``(x_i, y_i)`` of ``x [n, d + 1]``."""
        residual = x[:, :-1] @ self.w - x[:, -1]
        return 0.5 * residual.square() + 0.5 * self._l2 * self.w @ self.w


def least_squares(
    *,
    source: str,
    l2: float,
    n_samples: int,
    n_features: int,
    rank: int | None,
    condition: float,
    noise: float,
    random_state: int,
    projection: str,
    radius: float,
) -> Examples:
    """Make ``f(w) = 1/(2n) · Σ_i (x_iᵀ w - y_i)² + l2/2 · ‖w‖²``: ridge regression.

    ``∇f = Xᵀ(Xw - y)/n + l2·w``; the Hessian ``XᵀX/n + l2·I`` has ``L`` and ``μ`` as its largest
    and its smallest non-zero eigenvalue, ``κ = L/μ``. Without penalty and with fewer directions in
    the data than features (``rank`` or ``n_samples`` below ``n_features``) ``f`` is not strongly
    convex, but has the Polyak–Łojasiewicz property with this ``μ``: gradient descent converges as
    if it were. Start: ``w = 0``. All examples are trained on, and ``gap`` is over them.

    The optimum is computed in float64 from the normal equations, on the data as rounded to float32,
    which is what training sees. (`loss=mse` with `model=linear` on `dataset=diabetes` minimises
    twice this ``f`` without penalty, over a training split.)

    Args:
        source: ``diabetes`` (442 patients, 10 features), or ``generated``. Features and target of
            ``diabetes`` are standardised, so that it needs no intercept.
        l2: Weight of the penalty, from 0.
        n_samples: Examples, when generated.
        n_features: Features, when generated: normal, feature ``j`` with standard deviation
            ``condition^(-(j-1)/(2(r-1)))`` among ``r`` different ones.
        rank: ``r``, different features, when generated; the others are copies of them, so that
            the rank is exact in any precision. null: all.
        condition: Largest over smallest eigenvalue of ``XᵀX/n``, in the limit of many examples,
            when generated without copies.
        noise: Standard deviation of the normal noise on the target ``y = Xv + noise``, when
            generated; the entries of ``v`` are standard normal. 0.0: ``Xw = y`` has a solution.
        random_state: Seed of generated data, apart from the seed of the run.
        projection: ``none``, ``box`` (``|w_j| <= radius``) or ``ball`` (``‖w‖ <= radius``), to
            which every update is projected; the optimum is then that on the set.
        radius: The radius of the box or ball about 0.

    Raises:
        InputError: An impossible setting.

    Source: Hoerl and Kennard (1970), "Ridge regression"; rates without strong convexity: Karimi,
    Nutini and Schmidt (2016).
    """
    generated = require_one_of("dataset.source", source, ("diabetes", "generated")) == "generated"
    penalty = require_number("dataset.l2", l2)
    convex_set = projection_of(projection, radius)
    data = _generate(n_samples, n_features, rank, condition, noise, random_state)
    if not generated:
        loaded = diabetes()
        data = standardised(torch.hstack([loaded.x, loaded.y.reshape(-1, 1)]).numpy())
    rows = torch.from_numpy(data).float()

    exact = rows.double().numpy()
    x, y = exact[:, :-1], exact[:, -1]
    hessian = x.T @ x / len(x) + penalty * np.eye(x.shape[1])

    def value(w: np.ndarray) -> float:
        return 0.5 * float(((x @ w - y) ** 2).mean() + penalty * (w @ w))

    smooth = Smooth(value, lambda w: (x.T @ (x @ w - y) / len(x) + penalty * w, hessian))
    best = value(minimise(smooth, x.shape[1], convex_set))
    curvature = np.linalg.eigvalsh(hessian)
    present = curvature[curvature > 1e-12 * curvature[-1]]
    start = torch.zeros(x.shape[1], dtype=torch.float64)
    function = LeastSquares(start, convex_set, penalty)
    problem = Problem(function, best, float(present[-1]), float(present[0]))
    return Examples(rows, torch.zeros(len(rows), 1), task="optimization", problem=problem)


def _generate(
    n_samples: object,
    n_features: object,
    rank: object,
    condition: object,
    noise: object,
    random_state: object,
) -> np.ndarray:
    count = require_whole("dataset.n_samples", n_samples, 2)
    features = require_whole("dataset.n_features", n_features)
    different = features if rank is None else require_whole("dataset.rank", rank)
    if different > features:
        raise InputError(f"dataset.rank={rank}: at most n_features={features}")
    random = np.random.RandomState(require_whole("dataset.random_state", random_state, 0))
    scale = np.geomspace(1.0, require_number("dataset.condition", condition, 1) ** -0.5, different)
    x = (random.standard_normal((count, different)) * scale)[:, np.arange(features) % different]
    y = x @ random.standard_normal(features)
    y += require_number("dataset.noise", noise) * random.standard_normal(count)
    return np.column_stack([x, y])
