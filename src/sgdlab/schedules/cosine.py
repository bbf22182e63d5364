"""Half a cosine from the base learning rate down to a fraction of it."""

import math
from dataclasses import dataclass

from sgdlab.checks import require_number
from sgdlab.schedules.base import Schedule, progress


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """``f(t) = e + (1 - e) · ½ · (1 + cos(π·t/T))`` over the ``T`` steps after the warm-up.

    ``f(0) = 1`` and ``f(T) = e`` exactly: the last step, ``T - 1``, is still a little above ``e``,
    as in `torch.optim.lr_scheduler.CosineAnnealingLR` with ``T_max = T``.

    Attributes:
        final: ``e``, from 0 to 1.

    Source: Loshchilov and Hutter (2017), "SGDR", without restarts.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("schedule.final", self.final, 0, 1)

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)`` for ``T = total_steps``."""
        half = 0.5 * (1 + math.cos(math.pi * progress(step, total_steps)))
        return self.final + (1 - self.final) * half
