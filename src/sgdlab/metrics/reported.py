"""A number that a step of the user's own reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sgdlab.checks import require_one_of
from sgdlab.errors import InputError, suggest
from sgdlab.metrics.base import Direction


@dataclass
class Reported:
    """The mean over the examples of a split of what ``step(model, batch)`` reports under a name.

    Attributes:
        name: The key in the mapping that the step returns beside its loss; the name of the column.
        direction: Whether more (``max``) or less (``min``) of it is better.

    Raises:
        InputError: No such direction.
    """

    name: str
    direction: Direction
    _total: Tensor | float = field(default=0.0, init=False)
    _count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        require_one_of("metric.direction", self.direction, ("max", "min"))

    def begin(self, device: torch.device) -> None:
        """Forget what was added."""
        self._total, self._count = 0.0, 0

    def add(self, output: Any, target: Tensor) -> None:
        """Take what the step reported of a batch, a mean over its examples.

        Raises:
            InputError: It reported nothing under the name.
        """
        if not isinstance(output, Mapping):
            raise InputError("metric=reported goes with step(model, batch) as the loss")
        if self.name not in output:
            valid = suggest(self.name, map(str, output)) if output else "it reports nothing"
            raise InputError(f"metric.name={self.name}: not reported by the step; {valid}")
        self._total = self._total + float(output[self.name]) * len(target)
        self._count += len(target)

    def value(self, loss: float) -> float:
        """Return the mean."""
        return float(self._total) / self._count
