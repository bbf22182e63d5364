"""Functions that only theory needs: their minimum is known, and what each rule does on them."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from sgdlab.datasets.base import Dataset, Examples
from sgdlab.datasets.problem import Confined, Function, Problem, without_data
from sgdlab.datasets.projection import Projection
from sgdlab.datasets.split import prepare


class Separable(Function):
    """``f(w) = Σ_j f_j(w_j)``: as many experiments as coordinates, if the rule is coordinate-wise.

    Args:
        start: Where ``w`` starts, ``[d]``. The noise is about ``w* = 0``.
        projection: A convex set to stay in.
        std: Standard deviation of the gradient noise of one example, by coordinate, ``[d]``; None
            for no noise.
    """

    def __init__(
        self, start: Tensor, projection: Projection | None = None, std: Tensor | None = None
    ) -> None:
        super().__init__(start, torch.zeros_like(start), projection, std)

    @abstractmethod
    def terms(self, w: Tensor) -> Tensor:
        """Return ``f_j(w_j)`` for ``w [..., d]``, the same shape."""

    def value(self) -> Tensor:
        """Return ``f(w)``, a 0-dim tensor."""
        return self.terms(self.w).sum()

    def slopes(self, w: Tensor) -> Tensor:
        """Return ``f_j'(w_j)`` without noise for ``w [..., d]``, the same shape."""
        w = w.detach().requires_grad_()
        return torch.autograd.grad(self.terms(w).sum(), w)[0]


class Huber(Separable):
    """``L w²/2`` up to ``|w| = τ``, from there on the tangent: ``L τ (|w| - τ/2)``.

    Convex with an ``L``-Lipschitz gradient, and the worst case of several methods when ``τ`` fits
    the number of their steps (Drori and Teboulle 2014).

    Args:
        start: Where ``w`` starts, ``[d]``.
        smoothness: ``L``.
        thresholds: ``τ``, ``[d]``.
    """

    thresholds: Tensor

    def __init__(self, start: Tensor, smoothness: float, thresholds: Tensor) -> None:
        super().__init__(start)
        self.register_buffer("thresholds", thresholds)
        self._smoothness = smoothness

    def terms(self, w: Tensor) -> Tensor:
        """Return ``f_j(w_j)``."""
        size = w.abs()
        tangent = self.thresholds * (size - self.thresholds / 2)
        return self._smoothness * torch.where(size <= self.thresholds, w.square() / 2, tangent)


class Distance(Separable):
    """``Σ_j |w_j|``: convex and Lipschitz, but neither smooth nor strongly convex."""

    def terms(self, w: Tensor) -> Tensor:
        """Return ``|w_j|``."""
        return w.abs()


class Ripples(Separable):
    """``Σ_j w_j²/4 + 1 - cos w_j``: concave about ``±π``, stationary at ``f* = 0`` only.

    ``-1/2 <= f'' <= 3/2``. Away from 0 the gradient does not vanish, so that who climbs is seen to.
    """

    SMOOTHNESS = 1.5

    def terms(self, w: Tensor) -> Tensor:
        """Return ``f_j(w_j)``."""
        return w.square() / 4 + 1 - torch.cos(w)


class Slope(Separable):
    """``cᵀw``: the gradient is ``c`` everywhere, 0 where ``c`` is 0.

    Args:
        start: Where ``w`` starts, ``[d]``.
        gradient: ``c``, ``[d]``.
    """

    gradient: Tensor

    def __init__(self, start: Tensor, gradient: Tensor) -> None:
        super().__init__(start)
        self.register_buffer("gradient", gradient)

    def terms(self, w: Tensor) -> Tensor:
        """Return ``c_j w_j``."""
        return self.gradient * w


class Rows(Confined):
    """``f_i(w) = x_iᵀw`` for the rows ``x_i`` of the data: each has a gradient of its own."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n]`` values for ``x [n, d]``."""
        return x @ self.w


def dataset(
    function: nn.Module, optimum: float = 0.0, n_samples: int = 1, x: Tensor | None = None
) -> Dataset:
    """Return a problem as ``sgdlab train`` would get it from a dataset's YAML.

    Args:
        function: The function, with its parameters at the starting point.
        optimum: The smallest value of the function.
        n_samples: Examples of an epoch, all empty.
        x: The examples, ``[n, ...]``, for a function that has any.
    """
    empty, y = without_data(n_samples if x is None else len(x))
    problem = Problem(function, optimum)
    examples = Examples(empty if x is None else x, y, task="optimization", problem=problem)
    return prepare(examples, name=type(function).__name__.lower(), seed=0, val=0.2, test=0.2)
