"""Squared error near the target, absolute error far from it."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from sgdlab.checks import require_number
from sgdlab.errors import InputError


@dataclass(frozen=True)
class HuberLoss:
    """Mean of ``½·e²`` where ``|e| <= δ`` and of ``δ·(|e| - ½·δ)`` beyond, ``e = o - y``.

    ``L = 1/(n·m) · Σ_i Σ_j h(o_ij - y_ij)`` over ``m`` outputs. Few large errors move it less than
    the squared error, whose gradient grows with them.

    ``δ`` is in the units of the targets as the loss sees them. These are standardised, as for
    ``loss=mse``, so that ``δ = 1`` is one deviation of the training targets, and what is learned
    does not depend on the unit of the data. In the units of the data it is ``δ`` times that
    deviation. With ``standardize.targets=false`` ``δ`` is in those units itself.

    Source: Huber (1964), "Robust estimation of a location parameter".

    Attributes:
        delta: ``δ``, above 0.
        task: The task of the dataset; None is not checked.

    Raises:
        InputError: ``δ`` outside its range, or targets that are no quantities.
    """

    # With δ in deviations it is: a·y + b has the deviation a·σ, and a²·L as its loss.
    scale_free: ClassVar[bool] = True
    delta: float = 1.0
    task: str | None = None

    def __post_init__(self) -> None:
        require_number("loss.delta", self.delta, 0, open_low=True)
        if self.task not in (None, "regression", "custom"):
            raise InputError(f"loss=huber needs quantities; for {self.task}: loss=auto")

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over ``output [n, m]``, or ``[n]``, and as many targets."""
        # By shape, not by broadcasting: [n] against [n, 1] would compare all with all.
        return F.huber_loss(output, target.reshape(output.shape), delta=float(self.delta))
