"""Losses of many runs, with their gradients."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.losses.mse import MeanSquaredError


class StackedLoss(ABC):
    """A loss that is the mean over the examples of each run."""

    @abstractmethod
    def target(self, y: Tensor) -> Tensor:
        """Return targets ``[R, B]`` or ``[R, B, m]`` as the other methods take them."""

    @abstractmethod
    def value(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the losses ``[R]`` of outputs ``[R, B, m]``."""

    @abstractmethod
    def value_and_gradient(self, output: Tensor, y: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        """Return the losses ``[R]``, and ``weight`` times their gradients by the outputs."""


class StackedCrossEntropy(StackedLoss):
    """``L = -1/n · Σ_i Σ_c q_ic · log softmax(o_i)_c``; its gradient is ``(softmax(o) - q) / n``.

    Args:
        smoothing: ``q = (1 - s) · onehot(y) + s / k``.
    """

    def __init__(self, smoothing: float) -> None:
        self._smoothing = smoothing

    def target(self, y: Tensor) -> Tensor:
        """See `StackedLoss.target`: ``[R, B, 1]``."""
        return y.unsqueeze(-1)

    def _loss(self, logs: Tensor, y: Tensor) -> Tensor:
        n, s = logs.shape[1], self._smoothing
        loss = logs.gather(2, y).sum((1, 2)).mul_(-(1 - s) / n)
        return loss - logs.mean(2).sum(1) * (s / n) if s else loss

    def value(self, output: Tensor, y: Tensor) -> Tensor:
        """See `StackedLoss.value`."""
        return self._loss(torch.log_softmax(output, 2), y)

    def value_and_gradient(self, output: Tensor, y: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        """See `StackedLoss.value_and_gradient`."""
        logs = torch.log_softmax(output, 2)
        loss = self._loss(logs, y)
        n, k, s = output.shape[1], output.shape[2], self._smoothing
        d = logs.exp_()
        if s:
            d.sub_(s / k)
        d.scatter_add_(2, y, d.new_full((1, 1, 1), s - 1).expand(y.shape))
        return loss, d.mul_(weight / n)


class StackedSquaredError(StackedLoss):
    """``L = c · Σ_i Σ_j (o_ij - y_ij)²`` with the constants of `sgdlab.losses.mse`.

    Args:
        classes: Whether targets are labels, which are taken as one-hot vectors.
    """

    def __init__(self, classes: bool) -> None:
        self._classes = classes

    def target(self, y: Tensor) -> Tensor:
        """See `StackedLoss.target`: labels ``[R, B, 1]``, other targets as the outputs."""
        return y.unsqueeze(-1) if self._classes or y.ndim == 2 else y

    def _difference(self, output: Tensor, y: Tensor) -> Tensor:
        if not self._classes:
            return output - y
        return output.scatter_add(2, y, output.new_full((1, 1, 1), -1.0).expand(y.shape))

    def _constant(self, output: Tensor) -> float:
        n, m = output.shape[1:]
        return 0.5 / n if self._classes else 1 / (n * m)

    def value(self, output: Tensor, y: Tensor) -> Tensor:
        """See `StackedLoss.value`."""
        return self._difference(output, y).square_().sum((1, 2)).mul_(self._constant(output))

    def value_and_gradient(self, output: Tensor, y: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        """See `StackedLoss.value_and_gradient`."""
        difference, c = self._difference(output, y), self._constant(output)
        loss = difference.square().sum((1, 2)).mul_(c)
        return loss, difference.mul_(2 * c * weight)


def stacked_loss(loss: Callable[[Tensor, Tensor], Tensor], classes: bool) -> StackedLoss | str:
    """Return the stacked form of a loss, or why there is none, in words."""
    if type(loss) is CrossEntropy:
        return StackedCrossEntropy(loss.label_smoothing)
    if type(loss) is MeanSquaredError:
        return StackedSquaredError(classes)
    return f"loss {type(loss).__name__} has no stacked form"
