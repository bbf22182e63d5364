"""The classical c/√t of convex optimization, and the Transformer's schedule."""

import math
from dataclasses import dataclass

from sgdlab.schedules.inverse_time import InverseTime


@dataclass(frozen=True, kw_only=True)
class InverseSqrt(InverseTime):
    """``f(t) = √(s / (s + t))``, ``t`` counted from the end of the warm-up.

    The root of `sgdlab.schedules.inverse_time.InverseTime`: ``f(0) = 1`` and ``f(3s) = ½``. With
    ``s = 1`` and no warm-up, ``lr_t = lr / √(t + 1)``: ``c/√n`` for the ``n``-th step, which gives
    O(1/√T) on convex Lipschitz problems. The sum of ``c/√n`` diverges, and so does that of its
    squares (as ``c² ln T``): the second condition of Robbins and Monro does not hold.

    With a linear warm-up of ``W`` steps and the default ``s = W + 1``, it is the Transformer's
    schedule: ``min(n / (W + 1), √((W + 1) / n))`` of the peak in step ``n = t_run + 1``. The paper
    writes ``d^-½ · min(n^-½, n · w^-1.5)``: ``w = W + 1``, and our ``lr`` is the peak,
    ``(d · w)^-½``. Torch has no scheduler of this name.

    Attributes:
        timescale: ``s`` in steps, above 0; None is ``W + 1``, which is 1 without a warm-up.

    Source: Nemirovski, Juditsky, Lan and Shapiro (2009) for the rate; Vaswani et al. (2017),
    "Attention is all you need", for the form with warm-up.
    """

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)``."""
        return math.sqrt(super().factor(step, total_steps, steps_per_epoch))
