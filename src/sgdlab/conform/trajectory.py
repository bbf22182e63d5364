"""The weights that a `ReferenceRule` goes through in a case."""

from collections.abc import Callable, Iterator

import numpy as np

from sgdlab.conform.average import RuleAverage
from sgdlab.conform.cases import ConformCase
from sgdlab.conform.moments import RuleMemory, kept
from sgdlab.conform.norms import bounded, shrink, trust_ratio
from sgdlab.conform.rule import ReferenceRule
from sgdlab.conform.tape import Array, Tape
from sgdlab.conform.turn import RuleTurn

Rate = Array | float


def weights_after(
    rule: ReferenceRule,
    case: ConformCase,
    tape: Tape,
    seen: Array | None = None,
    rates: list[float] | None = None,
) -> Iterator[Array]:
    """Yield the weights, as one flat vector, after each step of a case.

    Args:
        rule: The rule.
        case: The case.
        tape: Its gradients.
        seen: The weights after each step of an optimizer, ``[steps, P]``: a rule with a ``pace`` of
            its own makes steps of those lengths.
        rates: Where these lengths are noted, of the first tensor.
    """
    run = _RuleRun(rule, case, tape)
    paced = rule.pace != "given" and seen is not None
    for step in range(len(case.factors)):
        yield run.step(step, seen[step] if paced and seen is not None else None, rates)


class _RuleRun:
    """A rule on its way through a case."""

    def __init__(self, rule: ReferenceRule, case: ConformCase, tape: Tape) -> None:
        self._rule, self._case, self._tape = rule, case, tape
        self._w = tape.start
        self._memory = RuleMemory(rule, tape)
        self._average = RuleAverage(rule, tape.start) if rule.average_beta else None
        self._turn = RuleTurn(rule, tape.start.size) if rule.turn_tolerance else None
        self._decay = rule.weight_decay if case.decays else 0.0
        self._wd = self._decay if rule.decays_vectors else self._decay * tape.has_axes

    def step(self, step: int, seen: Array | None, rates: list[float] | None) -> Array:
        """Return the weights after a step from 0."""
        rule, tape, w = self._rule, self._tape, self._w
        there = None if rule.absent_is_zero or tape.whole[step] else tape.present[step]
        self._memory.count(rule, step, there)
        g = self._gradient(tape.gradients[step])
        moving = there
        if rule.lazy:
            moving = (g != 0) if there is None else there & (g != 0)
        held = w * self._wd if self._decay else 0.0
        if rule.trust == "gradient":
            q = trust_ratio(rule, tape, w, g, held)
            g, held = g * q, held * q
        rate = rule.lr * self._factor(step)
        if self._turn is not None and self._turn.has_come:
            w_new = w - self._turn.step(rule, g + held, rate, moving)
        else:
            w_new = self._adaptive(step, g, held, rate, moving, seen, rates)
        if rule.max_norm != "none":
            w_new = w_new * shrink(tape.norms(w_new, rule.max_norm), rule.max_norm_at)
        if self._average is not None:
            w_new = self._average.place(rule, step, rate, moving, w_new)
        self._w = kept(moving, w_new, w)
        return self._w

    def _gradient(self, g: Array) -> Array:
        rule, tape = self._rule, self._tape
        if rule.ascends:
            g = -g
        if rule.centralised:
            g = g - tape.slice_means(g) * tape.has_axes
        return bounded(tape, g, rule.clip, rule.clip_at)

    def _factor(self, step: int) -> float:
        if self._rule.ignores_schedule:
            return 1.0
        return self._case.factors[max(step - 1, 0) if self._rule.late else step]

    def _adaptive(
        self,
        step: int,
        g: Array,
        held: Rate,
        rate: float,
        moving: Array | None,
        seen: Array | None,
        rates: list[float] | None,
    ) -> Array:
        """Return where the rule moves to, or the point on that line that is nearest to ``seen``."""
        rule, factor = self._rule, self._case.factors[step]
        long = self._relative(rate)
        u, one = self._memory.direction(rule, g, held, long, moving)
        if rule.trust_uncorrected:
            u = u / one
        if rule.decay == "in_update":
            u = u + held
        if seen is None:
            w_new = self._moved(u, one, rate, long, factor)
        else:
            start = self._moved(u, one, 0.0, 0.0, factor)
            along = self._moved(u, one, 1.0, 1.0, factor) - start
            w_new, length = _nearest_point(rule, self._tape, start, along, seen)
            if rates is not None:
                rates.append(length)
        if self._turn is not None:
            p = w_new - self._w
            self._turn.look(rule, p if moving is None else p * moving, g + held, rate)
        return w_new

    def _relative(self, rate: float) -> Rate:
        """Return the rate of the step itself, which Adafactor makes one relative to the weights."""
        rule, relative = self._rule, rate
        if rule.capped:
            relative = np.minimum(rate, 1 / np.sqrt(np.maximum(self._memory.counts, 1.0)))
        if rule.rms_scaled:
            relative = relative * np.maximum(rule.rms_floor, self._tape.rms(self._w))
        return relative

    def _moved(self, u: Array, one: Rate, rate: float, long: Rate, factor: float) -> Array:
        """Return the weights after decay and step; ``one`` is the rate's bias correction."""
        rule, wd = self._rule, self._wd
        w = self._w if self._average is None else self._average.z
        by: dict[str, Callable[[], Rate]] = {
            "decoupled": lambda: rate, "constant": lambda: 1.0, "by_schedule": lambda: factor,
            "corrected": lambda: rate * one, "scaled": lambda: long,
        }  # fmt: skip
        shrunk = w * (1 - by[rule.decay]() * wd) if self._decay and rule.decay in by else w
        if rule.standing_decay:
            shrunk = shrunk * (1 - rate * rule.standing_decay)
        if rule.trust == "update":
            of = shrunk if rule.trust_of_decayed else w
            u = u * trust_ratio(rule, self._tape, of, u) * (one if rule.trust_uncorrected else 1.0)
        w_new = shrunk - (u if rule.lr_inside else long * u)
        return w_new * (1 - rate * wd) if self._decay and rule.decay == "after" else w_new


def _nearest_point(
    rule: ReferenceRule, tape: Tape, start: Array, along: Array, seen: Array
) -> tuple[Array, float]:
    """Return the point of a line that is nearest to what was seen, and how far along it is.

    One length for all tensors, or one for each, by least squares.
    """
    products, squares = along * (seen - start), along * along
    if rule.pace == "common":
        lengths = np.full_like(start, products.sum() / max(float(squares.sum()), 1e-300))
    else:
        lengths = tape.sums(products) / np.maximum(tape.sums(squares), 1e-300)
    return start + lengths * along, float(lengths[0])
