"""The loss of a batch in compiled code."""

from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.datasets.base import Split
from sgdlab.steps.criterion import Criterion


class CompiledLoss:
    """Forward pass and loss of whole micro-batches, and their gradient, by `torch.compile`.

    Smaller micro-batches, at the end of an epoch, would have to be compiled for themselves, and are
    computed as without it. The model stays what it was: its names, its hooks, what evaluates it.
    What is drawn (dropout) is what the model draws uncompiled; sums are rounded otherwise.

    Args:
        model: The model, in training mode.
        loss: The loss of a batch.
        size: The examples of a whole micro-batch.
    """

    def __init__(self, model: nn.Module, loss: Criterion, size: int) -> None:
        def loss_of(x: Any, y: Tensor, weight: Tensor | None) -> Tensor:
            return loss.of(model, Split(x, y, weight))

        self._size = size
        self._loss_of = torch.compile(loss_of, dynamic=False, options={"fallback_random": True})

    def takes(self, batch: Split) -> bool:
        """Say whether a batch has the size that is compiled."""
        return len(batch.y) == self._size

    def of(self, batch: Split) -> Tensor:
        """Return the mean loss of a batch, with its gradient."""
        return self._loss_of(batch.x, batch.y, batch.weight)
