"""The weights that a `ReferenceRule` goes through in a case."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from sgdlab.conform.cases import ConformCase
from sgdlab.conform.moments import RuleMemory, kept
from sgdlab.conform.rule import Norm, ReferenceRule
from sgdlab.conform.tape import Array, Tape


def weights_after(rule: ReferenceRule, case: ConformCase, tape: Tape) -> Iterator[Array]:
    """Yield the weights, as one flat vector, after each step of a case."""
    w = tape.start
    memory = RuleMemory(rule, w.size)
    decay = rule.weight_decay if case.decays else 0.0
    wd = decay if rule.decays_vectors else decay * tape.has_axes
    for step, factor in enumerate(case.factors):
        rate = rule.lr * (case.factors[max(step - 1, 0)] if rule.late else factor)
        there = None if rule.absent_is_zero or tape.whole[step] else tape.present[step]
        memory.moves = memory.moves + (1.0 if there is None else there)
        memory.counts = np.full(w.size, step + 1.0) if rule.shared_count else memory.moves
        g = _prepared(rule, tape, tape.gradients[step])
        moving = there
        if rule.lazy:
            moving = (g != 0) if there is None else there & (g != 0)
        held = w * wd if decay else 0.0
        u, one = memory.direction(rule, g, held, rate, moving)
        u = _bounded(tape, u, rule.bound, rule.bound_at)
        if decay:
            w_new = _decayed(rule, w, wd, rate, factor, one) - (u if rule.lr_inside else rate * u)
            if rule.decay == "after":
                w_new = w_new * (1 - rate * wd)
        else:
            w_new = w - (u if rule.lr_inside else rate * u)
        if rule.max_norm != "none":
            w_new = w_new * _shrink(tape.norms(w_new, rule.max_norm), rule.max_norm_at)
        w = kept(moving, w_new, w)
        yield w


def _prepared(rule: ReferenceRule, tape: Tape, g: Array) -> Array:
    if rule.ascends:
        g = -g
    if rule.centralised:
        g = g - tape.slice_means(g) * tape.has_axes
    return _bounded(tape, g, rule.clip, rule.clip_at)


def _bounded(tape: Tape, v: Array, kind: Norm, bound: float) -> Array:
    if kind == "none":
        return v
    if kind == "value":
        return np.clip(v, -bound, bound)
    if kind in ("global", "torch"):
        norm = math.sqrt(float(v @ v)) + (1e-6 if kind == "torch" else 1e-300)
        return v * min(1.0, bound / norm)
    norms = tape.norms(v, "tensor")
    return v * _shrink(norms if kind == "tensor" else norms / np.sqrt(tape.sizes), bound)


def _shrink(norms: Array, bound: float) -> Array:
    return np.minimum(1.0, bound / np.maximum(norms, 1e-300))


def _decayed(
    rule: ReferenceRule, w: Array, wd: Array | float, rate: float, factor: float, one: Array | float
) -> Array:
    """Return the weights shrunk before the step; ``one`` is the rate's bias correction."""
    by: dict[str, Callable[[], Array | float]] = {
        "decoupled": lambda: rate, "constant": lambda: 1.0, "by_schedule": lambda: factor,
        "corrected": lambda: rate * one,
    }  # fmt: skip
    return w * (1 - by[rule.decay]() * wd) if rule.decay in by else w
