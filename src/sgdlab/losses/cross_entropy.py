"""Cross-entropy between predicted class probabilities and labels."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sgdlab.checks import require_number
from sgdlab.errors import InputError


@dataclass(frozen=True)
class CrossEntropy:
    """Mean cross-entropy of softmax outputs, in nats.

    ``L = -1/n · Σ_i Σ_c q_ic · log softmax(o_i)_c`` with ``q = (1 - s) · onehot(y) + s / k`` for
    ``k`` classes and label smoothing ``s`` (Szegedy et al. 2016).

    Attributes:
        label_smoothing: ``s``, from 0 (plain cross-entropy) to below 1.
        task: The task of the dataset; None is not checked.

    Raises:
        InputError: ``s`` outside its range, or a regression task.
    """

    label_smoothing: float = 0.0
    task: Literal["classification", "regression"] | None = None

    def __post_init__(self) -> None:
        require_number("loss.label_smoothing", self.label_smoothing, 0, 1, open_high=True)
        if self.task == "regression":
            raise InputError("loss=cross_entropy needs classes; for a regression dataset: loss=mse")

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over logits ``output [n, k]`` and labels ``target [n]``."""
        return torch.nn.functional.cross_entropy(
            output, target, label_smoothing=self.label_smoothing
        )
