"""Losses of many runs, with their gradients."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.losses.mse import MeanSquaredError
from sgdlab.stacked.batches import Micro


class StackedLoss(ABC):
    """A loss that is the mean over the examples of each run, by what they count."""

    is_sure = True
    """Whether it is the mean over all examples, however they are cut into batches."""

    @abstractmethod
    def target(self, y: Tensor) -> Tensor:
        """Return targets ``[R, B]`` or ``[R, B, m]`` as the other methods take them."""

    @abstractmethod
    def value(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the losses ``[R]`` of outputs ``[R, B, m]``."""

    @abstractmethod
    def value_and_gradient(self, output: Tensor, y: Tensor, weight: Any) -> tuple[Tensor, Tensor]:
        """Return the losses ``[R]``, and ``weight`` times their gradients by the outputs."""

    def counts(self, y: Tensor) -> Tensor | float:
        """Return what targets ``[R, B, …]`` count in a mean, ``[R]`` or one number for all runs."""
        return y.shape[1]

    def shares(self, micros: Sequence[Micro]) -> list[Any]:
        """Return the weight of each micro-batch in its update, ``[R]`` or one number for all."""
        return [weight for _, _, weight in micros]


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

    @staticmethod
    def _logs(output: Tensor) -> Tensor:
        """Return ``log softmax``, ``[R, m, B]``: ten times faster than over few neighbours."""
        return torch.log_softmax(output.mT.contiguous(), 1)

    def _loss(self, logs: Tensor, y: Tensor) -> Tensor:
        n, s = logs.shape[2], self._smoothing
        loss = logs.gather(1, y.mT).sum((1, 2)).mul_(-(1 - s) / n)
        return loss - logs.mean(1).sum(1) * (s / n) if s else loss

    def value(self, output: Tensor, y: Tensor) -> Tensor:
        """See `StackedLoss.value`."""
        return self._loss(self._logs(output), y)

    def value_and_gradient(self, output: Tensor, y: Tensor, weight: Any) -> tuple[Tensor, Tensor]:
        """See `StackedLoss.value_and_gradient`."""
        logs = self._logs(output)
        loss = self._loss(logs, y)
        k, n, s = logs.shape[1], logs.shape[2], self._smoothing
        d = logs.exp_()
        if s:
            d.sub_(s / k)
        labels = y.mT
        d.scatter_add_(1, labels, d.new_full((1, 1, 1), s - 1).expand(labels.shape))
        return loss, d.mul_(weight / n).mT


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


def stacked_loss(loss: Any, classes: bool) -> StackedLoss | None:
    """Return the stacked form of a loss; None where it has none that is written out."""
    if type(loss) is CrossEntropy and loss.ignore_index is None:
        return StackedCrossEntropy(loss.label_smoothing)
    if type(loss) is MeanSquaredError:
        return StackedSquaredError(classes)
    return None
