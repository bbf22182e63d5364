"""The training loss at chosen parameters."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call  # pyright: ignore[reportPrivateImportUsage]

from sgdlab.diagnostics.base import Subject
from sgdlab.diagnostics.curvature import evaluating, subset
from sgdlab.models.outputs import logits_in

_FORWARD = 512
"""Examples in one forward pass."""


class LossAt:
    """Mean loss over a fixed subset of the training split, with the model as in evaluation.

    Args:
        subject: The run that is looked at; its model is left alone.
        examples: The size of the subset; see `sgdlab.diagnostics.curvature.subset`.
    """

    def __init__(self, subject: Subject, examples: int) -> None:
        where = subset(subject, examples)
        self._subject = subject
        self._x, self._y = subject.data.train.x[where], subject.data.train.y[where]

    @torch.no_grad()
    def __call__(self, parameters: Sequence[Tensor]) -> float:
        """Return the loss at ``parameters``, in the subject's order."""
        subject = self._subject
        named = {name: b.detach().clone() for name, b in subject.model.named_buffers()}
        named |= zip(subject.names, parameters, strict=True)
        total = 0.0
        with evaluating(subject.model):
            for x, y in zip(self._x.split(_FORWARD), self._y.split(_FORWARD), strict=True):
                output = logits_in(functional_call(subject.model, named, (x,)))
                total += float(subject.loss(output, y)) * len(y)
        return total / len(self._y)
