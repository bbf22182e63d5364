"""How a `ReferenceRule` of Adam turns into SGD by itself."""

import numpy as np

from sgdlab.conform.rule import ReferenceRule
from sgdlab.conform.tape import Array


class RuleTurn:
    """SWATS (Keskar and Socher 2017): SGD takes over once the rate that is learned for it settles.

    ``γ = p·p / (-p·g)`` of a step ``p``; ``λ <- β₂·λ + (1 - β₂)·γ``; where ``λ̂ = λ / (1 - β₂^k)``
    is above 0 and within ``turn_tolerance`` of ``γ``, from step 2 on, it is the rate from then on:
    ``v <- β₁·v + g``; ``w <- w - (1 - β₁)·λ̂·v``, times what the schedule changes from there.

    Args:
        rule: Gives both memories.
        size: How many weights there are.
    """

    def __init__(self, rule: ReferenceRule, size: int) -> None:
        self._velocity = np.zeros(size)
        self._average = self._learned = 0.0
        self._steps = 0
        self._rate = rule.lr
        self.has_come = False

    def look(self, rule: ReferenceRule, p: Array, g: Array, rate: float) -> None:
        """Take in a step ``p`` with its gradient, and turn if it is time."""
        self._steps += 1
        product = float(p @ g)
        if product == 0:
            return
        seen = float(p @ p) / -product
        self._average = rule.beta2 * self._average + (1 - rule.beta2) * seen
        self._learned = self._average / (1 - rule.beta2**self._steps)
        settled = self._learned > 0 and abs(self._learned - seen) < rule.turn_tolerance
        if self._steps > 1 and settled:
            self.has_come, self._rate = True, rate

    def step(self, rule: ReferenceRule, g: Array, rate: float, moving: Array | None) -> Array:
        """Return what is taken from the weights after the turn."""
        new = rule.beta1 * self._velocity + g
        self._velocity = new if moving is None else np.where(moving, new, self._velocity)
        return (1 - rule.beta1) * self._learned * rate / self._rate * self._velocity
