"""Test problems: functions of one vector whose minimum is known."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sgdlab.checks import require_whole
from sgdlab.datasets.projection import Projection


class Confined(nn.Module):
    """A module with one parameter ``w [d]``, projected onto a convex set after every update.

    Args:
        start: Where ``w`` starts, float64 ``[d]``; projected too.
        projection: The set; None for the whole space.
    """

    def __init__(self, start: Tensor, projection: Projection | None) -> None:
        super().__init__()
        self.w = nn.Parameter(start.clone())
        self._projection = projection
        self.project_()

    @property
    def constrained(self) -> bool:
        """Whether there is a set to stay in."""
        return self._projection is not None

    @torch.no_grad()
    def project_(self) -> None:
        """Move ``w`` to the nearest point of the set."""
        if self._projection is not None:
            self._projection.project_(self.w)


class Function(Confined, ABC):
    """A function ``f(w)`` without data, with gradient noise in training mode only.

    ``forward`` draws one ``z ~ N(0, diag(std²) / n)`` for a batch of ``n`` examples and gives
    each of them the value ``f(w) + zᵀ(w - w*)``, so that the gradient of their mean is
    ``∇f(w) + z``. For the batch this is the same in distribution as noise of variance ``std²``
    that each example draws for itself, and costs one draw; within a batch the gradients of single
    examples do not differ.

    Args:
        start: Where ``w`` starts, ``[d]``.
        minimum: ``w*``, without constraint, ``[d]``.
        projection: A convex set to stay in.
        std: Standard deviation of the gradient noise of one example, by coordinate, ``[d]``; None
            for no noise.
    """

    minimum: Tensor
    std: Tensor | None

    def __init__(
        self,
        start: Tensor,
        minimum: Tensor,
        projection: Projection | None,
        std: Tensor | None = None,
    ) -> None:
        super().__init__(start, projection)
        self.register_buffer("minimum", minimum)
        self.register_buffer("std", std)

    @property
    def minima(self) -> Sequence[tuple[float, ...]]:
        """All places where ``f`` is least, without constraint."""
        return [tuple(self.minimum.tolist())]

    @abstractmethod
    def value(self) -> Tensor:
        """Return ``f(w)``, without noise, a 0-dim tensor."""

    def noise(self, x: Tensor) -> Tensor | None:
        """Return what a batch adds to ``f(w)`` in training, 0-dim or ``[n]``; None: nothing."""
        if self.std is None:
            return None
        z = torch.randn_like(self.w) * self.std / len(x) ** 0.5
        return z @ (self.w - self.minimum)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n]`` values for a batch of ``n`` rows; their mean is the loss."""
        value = self.value()
        noise = self.noise(x) if self.training else None
        return (value if noise is None else value + noise).expand(len(x))


class Problem:
    """A function to minimise whose smallest value is known.

    Not a dataclass: Hydra would turn one that is passed to a model into a config.

    Args:
        function: A module at the starting point. Its parameters are the variables; it maps rows
            ``x [n, ...]`` to values ``f_i(w) [n]`` whose mean over all rows, in eval mode, is
            ``f``. It may have a method ``project_()``, called after every update.
        optimum: ``f*``, the smallest value of ``f``; on the set that ``project_`` projects onto,
            where there is one.
        smoothness: ``L``, the largest eigenvalue that a Hessian of ``f`` can have; gradient
            descent is stable below ``lr = 2/L``. None: unbounded.
        strong_convexity: ``μ``, a lower bound of the Hessians' eigenvalues, those of directions
            in which ``f`` is constant aside; ``κ = L/μ``. None: ``f`` is not convex.
    """

    def __init__(
        self,
        function: nn.Module,
        optimum: float,
        smoothness: float | None = None,
        strong_convexity: float | None = None,
    ) -> None:
        self.function = function
        self.optimum = optimum
        self.smoothness = smoothness
        self.strong_convexity = strong_convexity

    def build(self) -> nn.Module:
        """Return a new module at the starting point."""
        return copy.deepcopy(self.function)


def without_data(n_samples: object) -> tuple[Tensor, Tensor]:
    """Return ``n_samples`` empty examples: they only give an epoch its length.

    Raises:
        InputError: Not a whole number from 1.
    """
    n = require_whole("dataset.n_samples", n_samples)
    return torch.zeros(n, 1), torch.zeros(n, 1)


def standardised(values: np.ndarray) -> np.ndarray:
    """Return columns with mean 0 and population standard deviation 1, in float64."""
    values = values.astype(np.float64)
    return (values - values.mean(axis=0)) / values.std(axis=0)
