"""Squared error, on regression targets or on classes."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from sgdlab.errors import InputError


@dataclass(frozen=True)
class MeanSquaredError:
    """Squared error, a mean over examples.

    For regression ``L = 1/(n·m) · Σ_i Σ_j (o_ij - y_ij)²`` over ``m`` outputs, with ``y`` the
    standardised targets. For classes, with one-hot targets,
    ``L = 1/n · Σ_i ½ · Σ_c (o_ic - onehot(y_i)_c)²``: the convention of the theory of
    full-batch training (Cohen et al. 2021), in which the sum over the classes is not averaged.

    Shifted and scaled targets have shifted and scaled minimisers, so that targets are standardised.

    Attributes:
        task: The task of the dataset; None is not checked.

    Raises:
        InputError: Labels or counts, whose metrics take other outputs.
    """

    scale_free: ClassVar[bool] = True
    task: str | None = None

    def __post_init__(self) -> None:
        if self.task in ("multilabel", "counts", "language"):
            raise InputError(f"loss=mse: not of task={self.task}; loss=auto, or task=regression")

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss.

        Args:
            output: ``[n, outputs]``, or ``[n]`` for one output.
            target: Integer classes ``[n]``, or floating targets of as many values as ``output``.
        """
        if target.is_floating_point():
            # By shape, not by broadcasting: [n] against [n, 1] would compare all with all.
            return F.mse_loss(output, target.reshape(output.shape))
        onehot = torch.zeros_like(output).scatter(1, target[:, None], 1.0)
        return F.mse_loss(output, onehot) * (0.5 * output.shape[1])
