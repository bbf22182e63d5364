"""What bounds a step by norms of its tensors: clipping, max-norm, and trust ratios."""

import math

import numpy as np

from sgdlab.conform.rule import Norm, ReferenceRule
from sgdlab.conform.tape import Array, Tape


def bounded(tape: Tape, v: Array, kind: Norm, bound: float) -> Array:
    """Return a vector whose norm of some kind is at most a bound."""
    if kind == "none":
        return v
    if kind == "value":
        return np.clip(v, -bound, bound)
    if kind in ("global", "torch"):
        norm = math.sqrt(float(v @ v)) + (1e-6 if kind == "torch" else 1e-300)
        return v * min(1.0, bound / norm)
    return v * shrink(tape.norms(v, "tensor") if kind == "tensor" else tape.rms(v), bound)


def shrink(norms: Array, bound: float) -> Array:
    """Return the factors that bring norms down to a bound."""
    return np.minimum(1.0, bound / np.maximum(norms, 1e-300))


def trust_ratio(
    rule: ReferenceRule, tape: Tape, w: Array, u: Array, held: Array | float = 0.0
) -> Array:
    """Return for each weight ``trust_coefficient · |w| / |u + held|`` of its tensor.

    It is 1 where ``|w|`` or ``|u|`` is 0, and of vectors where they have no ratio.

    Args:
        rule: Says which form (You et al. 2017, You et al. 2020) and which bounds.
        tape: The tensors.
        w: The weights.
        u: What is to be multiplied.
        held: Its weight decay, where that is not in ``u``.
    """
    size = np.minimum(tape.norms(w, "tensor"), rule.trust_cap)
    length = tape.norms(u, "tensor")
    below = length
    if isinstance(held, np.ndarray):
        apart = length + tape.norms(held, "tensor")
        below = apart if rule.trust_apart else tape.norms(u + held, "tensor")
    below = below + (rule.eps if rule.trust_eps else 0.0)
    ratio = np.where((size > 0) & (length > 0), rule.trust_coefficient * size / below, 1.0)
    return ratio if rule.trust_vectors else np.where(tape.has_axes > 0, ratio, 1.0)
