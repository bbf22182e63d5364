"""The average of iterates that a `ReferenceRule` of schedule-free learning steps with."""

import numpy as np

from sgdlab.conform.rule import ReferenceRule
from sgdlab.conform.tape import Array


class RuleAverage:
    """The sequences ``z``, which moves, and ``x``, its average (Defazio et al. 2024).

    ``x <- (1 - c)·x + c·z``; ``y = (1 - average_beta)·z + average_beta·x``, where gradients are
    taken; ``c = a / (sum of all a)``, ``a = t^average_power · (largest rate)^average_lr_power``.

    Args:
        rule: Says the powers.
        start: The initial weights.
    """

    def __init__(self, rule: ReferenceRule, start: Array) -> None:
        self.z, self._x = start, start
        self._largest = self._sum = 0.0

    def place(
        self, rule: ReferenceRule, step: int, rate: float, moving: Array | None, z: Array
    ) -> Array:
        """Take in where ``z`` has moved in a step from 0; return ``y``."""
        self._largest = max(self._largest, rate)
        weight = (step + 1) ** rule.average_power * self._largest**rule.average_lr_power
        self._sum += weight
        share = weight / self._sum if self._sum else 0.0
        x = (1 - share) * self._x + share * z
        if moving is not None:
            z, x = np.where(moving, z, self.z), np.where(moving, x, self._x)
        self.z, self._x = z, x
        return (1 - rule.average_beta) * z + rule.average_beta * x
