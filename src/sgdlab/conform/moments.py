"""What a `ReferenceRule` remembers of the gradients, and the direction that follows from it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sgdlab.conform.norms import bounded
from sgdlab.conform.rule import ReferenceRule
from sgdlab.conform.tape import Array, Tape


def kept(moving: Array | None, new: Array, old: Array) -> Array:
    """Return the new values where something moves; None: everywhere."""
    return new if moving is None else np.where(moving, new, old)


class RuleMemory:
    """What a rule remembers of each weight."""

    def __init__(self, rule: ReferenceRule, tape: Tape) -> None:
        size, self._tape = tape.start.size, tape
        self.velocity = np.zeros(size)
        self.squares = np.full(size, rule.square_start)
        self.largest = np.zeros(size)
        self.means = np.zeros(size)
        self.moves: Array = np.zeros(size)
        self.counts = self.moves

    def count(self, rule: ReferenceRule, step: int, there: Array | None) -> None:
        """Count a step from 0 of the weights that have a gradient; None: all have."""
        self.moves = self.moves + (1.0 if there is None else there)
        self.counts = np.full_like(self.moves, step + 1.0) if rule.shared_count else self.moves

    def direction(
        self,
        rule: ReferenceRule,
        g: Array,
        held: Array | float,
        rate: Array | float,
        moving: Array | None,
    ) -> tuple[Array, Array | float]:
        """Return ``u``, and ``√(1 - β₂ᵗ) / (1 - β₁ᵗ)``; ``held`` is ``weight_decay · w``."""
        one: Array | float = 1.0
        two: Array | float = 1.0
        t = np.maximum(self.counts, 1.0) + (rule.first_count - 1)  # 1 where nothing has moved yet
        if rule.correction in ("both", "first"):
            one = 1 - rule.beta1**t
        self._beta2: Array | float = 1 - t**rule.beta2_power if rule.growing else rule.beta2
        if rule.correction in ("both", "second"):
            two = 1 - rule.beta2**t
        whole = g + held if rule.decay in ("coupled", "momentum_only") else g
        of_squares = g if rule.decay == "momentum_only" else whole
        if rule.normalised_first:
            whole = whole / self._denominator(rule, of_squares, None, two, moving)
            if rule.bound_first:
                whole = bounded(self._tape, whole, rule.bound, rule.bound_at)
            u = self._velocity(rule, whole, rate, moving) / one
        else:
            u = self._velocity(rule, whole, rate, moving) / one
            if rule.square != "none":
                u = u / self._denominator(rule, of_squares, self._moment, two, moving)
        if not rule.bound_first:
            u = bounded(self._tape, u, rule.bound, rule.bound_at)
        return u, np.sqrt(two) / one

    def _velocity(
        self, rule: ReferenceRule, x: Array, rate: Array | float, moving: Array | None
    ) -> Array:
        damp = rule.beta1 if rule.dampening is None else rule.dampening
        x = rate * x if rule.lr_inside else x
        if rule.beta1 == 0:
            self._moment = x
            return x
        new = rule.beta1 * self.velocity + (1 - damp) * x
        if rule.first_whole:
            new = np.where(self.moves == 1, x, new)
        self._moment = new
        self.velocity = kept(moving, new, self.velocity)
        return rule.beta1 * new + (1 - damp) * x if rule.nesterov else new

    def _denominator(
        self,
        rule: ReferenceRule,
        g: Array,
        moment: Array | None,
        two: Array | float,
        moving: Array | None,
    ) -> Array:
        before, square = self.squares, g * g
        if rule.square == "belief" and moment is not None:
            square = (g - moment) ** 2
        if rule.square == "sum":
            new = before + square
        elif rule.square == "infinity":
            new = np.maximum(self._beta2 * before, np.abs(g) + rule.eps)
        else:
            new = self._beta2 * before + (1 - self._beta2) * square
        if rule.square == "belief":
            new = new + rule.eps
        self.squares = kept(moving, new, before)
        v = before if rule.square_stale else new
        if rule.square == "infinity":
            return v
        if rule.square == "centred":
            means = self._beta2 * self.means + (1 - self._beta2) * g
            self.means = kept(moving, means, self.means)
            v = np.maximum(v - means * means, 0.0)
        if rule.square == "max":
            v = np.maximum(self.largest, v)
            self.largest = kept(moving, v, self.largest)
        if rule.square == "max_corrected":
            v = np.maximum(self.largest, v / two)
            self.largest = kept(moving, v, self.largest)
            v = v * two
        if rule.factored:
            v = self._tape.factored(v)
        return _ROOTS[rule.epsilon](v + rule.eps_inside * _inner(rule, two), two, rule.eps)


def _inner(rule: ReferenceRule, two: Array | float) -> Array | float:
    """Return what ``eps_inside`` is times, so that it is added where ``eps`` is."""
    return two if rule.epsilon in ("outside", "inside", "floor") else 1.0


_ROOTS: dict[str, Callable[[Array, Any, float], Array]] = {
    "outside": lambda v, two, eps: np.sqrt(v / two) + eps,
    "uncorrected": lambda v, two, eps: (np.sqrt(v) + eps) / np.sqrt(two),
    "inside": lambda v, two, eps: np.sqrt(v / two + eps),
    "inside_uncorrected": lambda v, two, eps: np.sqrt((v + eps) / two),
    "floor": lambda v, two, eps: np.maximum(np.sqrt(v / two), eps),
}
"""The denominator of each place of ``eps``, from squares and ``1 - β₂ᵗ``."""
