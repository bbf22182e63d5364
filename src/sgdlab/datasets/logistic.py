"""Logistic regression with an L2 penalty and a known optimum."""

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor
from torch.nn import functional as F

from sgdlab.checks import require_number, require_one_of, require_whole
from sgdlab.datasets.base import Examples
from sgdlab.datasets.breast_cancer import breast_cancer
from sgdlab.datasets.minimum import Smooth, minimise
from sgdlab.datasets.problem import Confined, Problem, standardised
from sgdlab.datasets.projection import Projection, projection_of


class Logistic(Confined):
    """``f_i(w) = log(1 + exp(z_iᵀ w)) + l2/2 · ‖w‖²`` for rows ``z_i = -y_i (x_i, 1)``.

    Args:
        start: Where ``w`` starts, ``[d]``.
        projection: A convex set to stay in.
        l2: Weight of the penalty.
    """

    def __init__(self, start: Tensor, projection: Projection | None, l2: float) -> None:
        super().__init__(start, projection)
        self._l2 = l2

    def forward(self, x: Tensor) -> Tensor:
        """Return ``f_i(w) [n]`` for the rows ``z_i`` of ``x [n, d]``."""
        # Not softplus: torch's is linear from 20 on, 2e-9 off the logarithm.
        return 0.5 * self._l2 * self.w @ self.w - F.logsigmoid(-(x @ self.w))


def logistic(
    *,
    source: str,
    l2: float,
    n_samples: int,
    n_features: int,
    random_state: int,
    projection: str,
    radius: float,
) -> Examples:
    """Make ``f(w) = 1/n · Σ_i log(1 + exp(-y_i x̃_iᵀ w)) + l2/2 · ‖w‖²`` with ``y_i = ±1``.

    ``x̃_i = (x_i, 1)``: standardised features and a column of ones, whose weight is the intercept.
    It is penalised like the others, so that ``f`` is strongly convex in all of ``w``.
    ``∇f = -1/n · Σ_i σ(-y_i x̃_iᵀ w) y_i x̃_i + l2·w`` with the logistic function ``σ``;
    ``L = λ_max(X̃ᵀX̃)/(4n) + l2``, ``μ >= l2``, so ``κ <= L/l2``. Start: ``w = 0``, where
    ``f = log 2``. All examples are trained on, and ``gap`` is over them.

    The optimum is computed in float64 by Newton's method on the data as rounded to float32, which
    is what training sees. (`loss=cross_entropy` with `model=linear` on `dataset=breast_cancer` is
    the same model with two outputs and a validation split, but without a known optimum.)

    Args:
        source: ``breast_cancer`` (569 tumours, 30 features), or ``generated``: normal features,
            labels with the probabilities of a logistic model whose weights are normal with
            variance ``4/n_features``.
        l2: Weight of the penalty, positive: it also makes a minimum exist for separable data.
        n_samples: Examples, when generated.
        n_features: Features, when generated; ``d`` is one more.
        random_state: Seed of generated data, apart from the seed of the run.
        projection: ``none``, ``box`` (``|w_j| <= radius``) or ``ball`` (``‖w‖ <= radius``), to
            which every update is projected; the optimum is then that on the set.
        radius: The radius of the box or ball about 0.

    Raises:
        InputError: An impossible setting.

    Source: Cox (1958), "The regression analysis of binary sequences"; as a test of rates, Bach
    (2014), "Adaptivity of averaged stochastic gradient descent".
    """
    kind = require_one_of("dataset.source", source, ("breast_cancer", "generated"))
    count = require_whole("dataset.n_samples", n_samples, 2)
    width = require_whole("dataset.n_features", n_features)
    seed = require_whole("dataset.random_state", random_state, 0)
    penalty = require_number("dataset.l2", l2, open_low=True)
    convex_set = projection_of(projection, radius)
    features, labels = _generate(count, width, seed) if kind == "generated" else _tumours()
    ones = np.ones((len(labels), 1))
    rows = torch.from_numpy(-labels[:, None] * np.hstack([standardised(features), ones])).float()

    z = rows.double().numpy()
    smooth = _smooth(z, penalty)
    best = smooth.value(minimise(smooth, z.shape[1], convex_set))
    largest = float(np.linalg.eigvalsh(z.T @ z / len(z))[-1]) / 4 + penalty
    start = torch.zeros(z.shape[1], dtype=torch.float64)
    problem = Problem(Logistic(start, convex_set, penalty), best, largest, penalty)
    return Examples(rows, torch.zeros(len(rows), 1), task="optimization", problem=problem)


def _tumours() -> tuple[np.ndarray, np.ndarray]:
    loaded = breast_cancer()
    return loaded.x.double().numpy(), 2.0 * loaded.y.numpy() - 1.0


def _generate(count: int, features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(seed)
    x = random.standard_normal((count, features))
    weights = random.standard_normal(features) * (2 / features**0.5)
    return x, np.where(random.random_sample(count) < expit(x @ weights), 1.0, -1.0)


def _smooth(z: np.ndarray, l2: float) -> Smooth:
    """Return the function with rows ``z [n, d]`` for `sgdlab.datasets.minimum.minimise`."""

    def value(w: np.ndarray) -> float:
        return float(np.logaddexp(0.0, z @ w).mean() + 0.5 * l2 * (w @ w))

    def slope(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = expit(z @ w)
        curved = (z * (p * (1 - p))[:, None]).T @ z
        return z.T @ p / len(z) + l2 * w, curved / len(z) + l2 * np.eye(z.shape[1])

    return Smooth(value, slope)
