"""Schedules that theory asks for and nobody would train with."""

import sys
from dataclasses import dataclass

from sgdlab.schedules.base import Schedule

RISING_MOMENTUM = f"schedule._target_={__name__}.RisingMomentum"
"""Override that chooses `RisingMomentum`."""

CORRECTION = f"schedule._target_={__name__}.Correction"
"""Override that chooses `Correction`."""


@dataclass(frozen=True, kw_only=True)
class RisingMomentum(Schedule):
    """A constant rate and the momentum ``(k - 1)/(k + 2)`` in step ``k``, counted from 0.

    The extrapolation from ``x_{k-1}`` and ``x_k`` with which Nesterov's method reaches O(1/k²)
    without strong convexity; in steps 0 and 1 there is none.

    Source: Su, Boyd and Candès (2016), "A differential equation for modeling Nesterov's accelerated
    gradient method".
    """

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return 1."""
        return 1.0

    def momentum(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``(k - 1)/(k + 2)``."""
        # A momentum of exactly 0 says that an optimizer has none, and would stay.
        return max((step - 1) / (step + 2), sys.float_info.min)


@dataclass(frozen=True, kw_only=True)
class Correction(Schedule):
    """``1 - 0.9^t`` in step ``t = 1, 2, …``: undoes Adam's correction of its first moment."""

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``1 - 0.9^(step + 1)``."""
        return 1 - 0.9 ** (step + 1)
