"""Warm-up, a stable stretch, a decay at the end."""

import math
from dataclasses import dataclass

from sgdlab.checks import require_number, require_one_of
from sgdlab.schedules.base import Schedule, progress

SHAPES = ("linear", "sqrt", "cosine")


@dataclass(frozen=True, kw_only=True)
class Wsd(Schedule):
    """Warm-up–stable–decay: 1 until the last ``D`` steps, then down to ``e``.

    ::

        f(t) = 1                            for t <= T - D
        f(t) = e + (1 - e) · h(x)           x = (t - (T - D)) / D
        linear  h(x) = 1 - x
        sqrt    h(x) = 1 - √x
        cosine  h(x) = ½ · (1 + cos(π·x))

    over the ``T`` steps after the warm-up. ``f(T) = e``, and the last step, ``T - 1``, is still
    above ``e``, as with `sgdlab.schedules.cosine.Cosine`; unlike there, the length of the run need
    not be known before the decay begins, and the stable stretch can be continued. ``sqrt`` drops
    fastest at first: by ``(1 - e)/√D`` in one step. Torch has no scheduler of this name.

    Attributes:
        decay: ``D`` as a fraction of the run, warm-up included, above 0 to 1; rounded to whole
            steps, at least 1 and at most ``T``.
        shape: ``linear``, ``sqrt`` or ``cosine``.
        final: ``e``, from 0 to 1.

    Source: Hu et al. (2024), "MiniCPM", for the name; Zhai et al. (2022), "Scaling vision
    transformers", for the linear decay; Hägele et al. (2024), "Scaling laws and compute-optimal
    training beyond fixed training durations", for ``sqrt`` and fractions around 0.2.
    """

    decay: float = 0.2
    shape: str = "linear"
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("schedule.decay", self.decay, 0, 1, open_low=True)
        require_one_of("schedule.shape", self.shape, SHAPES)
        require_number("schedule.final", self.final, 0, 1)

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)`` for ``T = total_steps``."""
        run = total_steps + self.warmup(steps_per_epoch)
        length = min(max(1, round(self.decay * run)), total_steps)
        done = max(0.0, progress(step - (total_steps - length), length))
        return self.final + (1 - self.final) * self._left(done)

    def _left(self, done: float) -> float:
        if self.shape == "linear":
            return 1 - done
        if self.shape == "sqrt":
            return 1 - math.sqrt(done)
        return 0.5 * (1 + math.cos(math.pi * done))
