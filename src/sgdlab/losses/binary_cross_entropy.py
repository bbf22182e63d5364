"""Cross-entropy of independent labels."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sgdlab.errors import InputError


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Mean cross-entropy of independent labels, in nats.

    ``L = -1/(n·m) · Σ_i Σ_j y_ij · log σ(o_ij) + (1 - y_ij) · log(1 - σ(o_ij))`` over ``m`` labels
    of each example. Of two classes the label is the class, and the model has one output.

    Attributes:
        pos_weight: Factor on the term of ``y = 1`` of every label, above 0; 1 is plain.
        task: The task of the dataset; None is not checked.
        num_outputs: The classes or labels of the dataset; None is not checked.

    Raises:
        InputError: More than two classes, or targets that are no labels.
    """

    pos_weight: float = 1.0
    task: str | None = None
    num_outputs: int | None = None

    def __post_init__(self) -> None:
        if not self.pos_weight > 0:
            raise InputError(f"loss.pos_weight={self.pos_weight}: must be above 0")
        if self.task not in (None, "classification", "multilabel", "custom"):
            raise InputError(f"loss=bce needs labels of 0 and 1; for {self.task}: loss=auto")
        if self.task == "classification" and (self.num_outputs or 2) != 2:
            raise InputError(
                f"loss=bce: {self.num_outputs} classes; for more than two: loss=cross_entropy"
            )

    @property
    def model_outputs(self) -> int | None:
        """The outputs that a model has to have; None: as many as the dataset says."""
        return 1 if self.task == "classification" else None

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over logits ``output [n, m]`` and labels ``target [n]`` or ``[n, m]``."""
        weight = None if self.pos_weight == 1 else torch.full_like(output, self.pos_weight)
        # By shape, not by broadcasting: [n] against [n, 1] would compare all with all.
        labels = target.to(output.dtype).reshape(output.shape)
        return F.binary_cross_entropy_with_logits(output, labels, pos_weight=weight)
