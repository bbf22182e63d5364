"""What runs of experiments are made of besides what sgdlab ships."""

import torch
from torch import Tensor, nn

from sgdlab.diagnostics.base import Moment, Quantity, Subject


class ClassLosses(Quantity):
    """The mean loss over the training examples of single classes, before the update.

    Class k, from 1, is that of label k - 1: the k-th most frequent one of `imbalanced`, and of
    `associations` with as many classes as facts.

    Args:
        classes: Which classes, from 1.
    """

    def __init__(self, classes: list[int]) -> None:
        self._classes = list(classes)

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Return the columns ``class_loss.K``."""
        labels = subject.data.train.y
        self._rows = [torch.nonzero(labels == k - 1).flatten() for k in self._classes]
        return tuple(f"class_loss.{k}" for k in self._classes)

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return a loss per class."""
        # The model is at the parameters after the update; those before are in the moment.
        now = dict(zip(subject.names, moment.before, strict=True))
        data = subject.data.train
        outputs = torch.func.functional_call(subject.model, now, (data.x,))
        losses = nn.functional.cross_entropy(outputs, data.y, reduction="none")
        return torch.stack([losses[rows].mean() for rows in self._rows]).double()


class Memory(nn.Sequential):
    """An associative memory, logits ``U W e``: ``W`` learns, ``U`` is random and frozen.

    So ``W`` is a hidden matrix, as those in a transformer are, and not the output layer, which
    Muon leaves to AdamW. Frozen is ``U`` by ``freeze=[1.*]``.

    Source: Wang, Zhang, Du, Du, Pang and Lin (2025), "Muon outperforms Adam in tail-end
    associative memory learning".
    """

    def __init__(self, input_shape: tuple[int, ...], num_outputs: int) -> None:
        (width,) = input_shape
        super().__init__(
            nn.Linear(width, width, bias=False), nn.Linear(width, num_outputs, bias=False)
        )
        nn.init.zeros_(self[0].weight)
        nn.init.normal_(self[1].weight)
