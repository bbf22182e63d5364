"""The function of a test problem as a model."""

from typing import Protocol

from torch import nn

from sgdlab.errors import InputError


class Buildable(Protocol):
    """What a test problem offers; see `sgdlab.datasets.problem.Problem`."""

    def build(self) -> nn.Module: ...  # noqa: D102


def Problem(*, problem: Buildable | None) -> nn.Module:
    """Return the dataset's own function, at its starting point: its variables are the weights.

    Args:
        problem: The problem of the dataset; None for ordinary examples.

    Raises:
        InputError: The dataset is not a test problem.
    """
    if problem is None:
        raise InputError("model=problem goes with a test problem (dataset=quadratic, …)")
    return problem.build()
