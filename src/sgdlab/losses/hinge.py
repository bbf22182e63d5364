"""The hinge loss of support vector machines."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgdlab.checks import require_number
from sgdlab.errors import InputError


@dataclass(frozen=True)
class Hinge:
    """Mean of ``1/k · Σ_{c≠y} max(0, M - (o_y - o_c))`` over the examples, for ``k`` classes.

    All rivals of the true class within the margin ``M`` count, divided by the number of classes:
    the form of Weston and Watkins (1999) as in `torch.nn.functional.multi_margin_loss`, not that
    of Crammer and Singer (2001), in which only the best rival counts. Of two classes it is half
    of ``max(0, M - m)`` with the margin ``m = o_y - o_c``. With ``optimizer.weight_decay`` and
    ``model=linear`` it is a support vector machine. At the kink the gradient is 0, as torch has it.

    Contrast: `sgdlab.losses.perceptron` is content with any separation, not with the largest margin
    alone.

    Attributes:
        margin: ``M``, above 0.
        task: The task of the dataset; None is not checked.

    Raises:
        InputError: ``M`` outside its range, or a task without classes.
    """

    margin: float = 1.0
    task: str | None = None

    def __post_init__(self) -> None:
        require_number("loss.margin", self.margin, 0, open_low=True)
        if self.task not in (None, "classification", "custom"):
            raise InputError(f"loss=hinge needs classes; for {self.task}: loss=auto")

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over scores ``output [n, k]`` and labels ``target [n]``.

        Raises:
            InputError: A single output, which has no rivals.
        """
        if output.ndim < 2 or output.shape[1] < 2:
            raise InputError("loss=hinge: the model has one output, and needs one for each class")
        label = target[:, None]
        # relu, whose gradient at 0 is 0, and which leaves a NaN one.
        short = torch.relu(self.margin - output.gather(1, label) + output)
        return short.scatter(1, label, 0.0).sum(1).mean() / output.shape[1]
