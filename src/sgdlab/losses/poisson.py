"""The loss of numbers of events."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from sgdlab.errors import InputError


@dataclass(frozen=True)
class Poisson:
    """Mean negative log-likelihood of Poisson counts, without the part that depends on ``y`` alone.

    ``L = 1/(n·m) · Σ_i Σ_j exp(o_ij) - y_ij · o_ij``: the model's output is the logarithm of the
    expected count. It may be negative.

    Attributes:
        task: The task of the dataset; None is not checked.

    Raises:
        InputError: A task whose targets are no counts.
    """

    task: str | None = None

    def __post_init__(self) -> None:
        if self.task not in (None, "counts", "custom"):
            raise InputError(
                f"loss=poisson needs numbers of events, and the task is {self.task}: "
                "set task=counts, or loss=auto"
            )

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over ``output [n, m]`` and counts ``target [n]`` or ``[n, m]``."""
        counts = target.to(output.dtype).reshape(output.shape)
        return F.poisson_nll_loss(output, counts, log_input=True)
