"""The mean of what the model returns."""

from dataclasses import dataclass

from torch import Tensor

from sgdlab.errors import InputError


@dataclass(frozen=True)
class Mean:
    """``L = 1/n · Σ_i o_i``: the model's outputs are the losses of the examples already.

    For test problems, whose model returns the values ``f_i(w)``. There is no target.

    Attributes:
        task: The task of the dataset; None is not checked.

    Raises:
        InputError: The dataset is not a test problem.
    """

    task: str | None = None

    def __post_init__(self) -> None:
        if self.task not in (None, "optimization"):
            raise InputError(f"loss=mean goes with test problems; for {self.task}: loss=auto")

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over ``output [n]``."""
        return output.mean()
