"""The share of the variance of quantities that is explained."""

import torch
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.metrics.base import Direction, Scale, require_task


class R2:
    """``R² = 1 - Σ_i (y_i - p_i)² / Σ_i (y_i - ȳ)²`` over a split; of several outputs their mean.

    1 is perfect, 0 as good as the mean ``ȳ`` of the split's own targets, and there is no lower
    bound. It is the same in any unit. The sums are kept in float64, those around the mean by the
    update of Chan et al. (1979), so that they lose nothing where the mean is far from 0.

    An output whose targets in the split are all equal, as those of one example are, has no variance
    to explain: it counts as 1 where it is met exactly and as 0 otherwise, as in scikit-learn.

    Args:
        task: The task of the dataset; None is not checked.
        scale: How outputs become quantities: those of counts are logarithms.

    Raises:
        InputError: Targets that are no quantities.
    """

    name = "r2"
    direction: Direction = "max"

    def __init__(self, task: str | None = None, scale: Scale | None = None) -> None:
        require_task("r2", task)
        self._log = scale is not None and scale.log
        self.begin(torch.device("cpu"))

    def begin(self, device: torch.device) -> None:
        """Forget what was added."""
        self._count = 0
        zero = torch.zeros(1, dtype=torch.float64, device=device)
        self._mean, self._around, self._error = zero, zero, zero
        self._least, self._most = zero + torch.inf, zero - torch.inf

    def add(self, output: Tensor, target: Tensor) -> None:
        """Add squared errors, and squares around the mean.

        Args:
            output: ``[n, m]``, or ``[n]``.
            target: Of as many values.

        Raises:
            InputError: Outputs that fit no targets.
        """
        if output.numel() != target.numel():
            raise InputError(
                f"metric=r2: outputs {list(output.shape)} do not fit targets {list(target.shape)}"
            )
        y = target.double().reshape(len(target), -1)
        # By shape, not by broadcasting: [n] against [n, 1] would compare all with all.
        found = output.double().reshape(y.shape)
        self._error = self._error + (y - (found.exp() if self._log else found)).square().sum(0)
        new, before = len(y), self._count
        self._count += new
        mean = y.mean(0)
        gap = mean - self._mean
        around = (y - mean).square().sum(0) + gap.square() * (before * new / self._count)
        self._mean, self._around = self._mean + gap * (new / self._count), self._around + around
        self._least = torch.minimum(self._least, y.amin(0))
        self._most = torch.maximum(self._most, y.amax(0))

    def value(self, loss: float) -> float:
        """Return the mean over the outputs."""
        explained = 1 - self._error / self._around
        # Not by the sum around the mean: of equal numbers it may be rounding.
        constant = self._least == self._most
        return float(torch.where(constant, (self._error == 0).double(), explained).mean())
