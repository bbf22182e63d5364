"""Half a cosine again and again, each cycle as long as the last or longer."""

import math
from dataclasses import dataclass

from sgdlab.checks import require_number
from sgdlab.schedules.base import Schedule


@dataclass(frozen=True, kw_only=True)
class CosineRestarts(Schedule):
    """Cosine annealing with warm restarts (SGDR); cycle ``k = 0, 1, …`` has ``T_k`` steps.

    ::

        f(t) = e + (1 - e) · d^k · ½ · (1 + cos(π · t_k / T_k))
        T_k = T_0 · m^k,   t_k = t - (T_0 + … + T_{k-1})

    with ``k`` such that ``0 <= t_k < T_k``. Every cycle starts at its peak, ``e + (1 - e)·d^k``,
    and its last step is still a little above ``e``: the next cycle starts where ``e`` would be
    reached, also at ``t = T`` when whole cycles fill the run. One cycle of the run's length is
    `sgdlab.schedules.cosine.Cosine`. With ``d = 1`` it is
    `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`, which takes whole ``T_0`` and ``m``
    only.

    With the default, four equal cycles fill the run; ``m`` doubles them with
    ``t_mult=2 cycle_fraction=0.142857``: three cycles of 1/7, 2/7 and 4/7.

    Attributes:
        cycle_fraction: ``T_0`` as a fraction of the steps after the warm-up, above 0 to 1; rounded
            to whole steps.
        cycle_epochs: ``T_0`` in epochs, above 0; when set, it counts instead.
        t_mult: ``m``, from 1; the paper's best are 1 and 2.
        final: ``e``, from 0 to 1.
        restart_decay: ``d``, above 0 to 1; 1 in the paper.

    Source: Loshchilov and Hutter (2017), "SGDR: stochastic gradient descent with warm restarts".
    """

    cycle_fraction: float = 0.25
    cycle_epochs: float | None = None
    t_mult: float = 1.0
    final: float = 0.0
    restart_decay: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("schedule.cycle_fraction", self.cycle_fraction, 0, 1, open_low=True)
        if self.cycle_epochs is not None:
            require_number("schedule.cycle_epochs", self.cycle_epochs, open_low=True)
        require_number("schedule.t_mult", self.t_mult, 1)
        require_number("schedule.final", self.final, 0, 1)
        require_number("schedule.restart_decay", self.restart_decay, 0, 1, open_low=True)

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)`` for ``T = total_steps`` and epochs of ``steps_per_epoch``."""
        cycle, done = self._place(step, self._first(total_steps, steps_per_epoch))
        half = 0.5 * (1 + math.cos(math.pi * done))
        return self.final + (1 - self.final) * self.restart_decay**cycle * half

    def _first(self, total_steps: int, steps_per_epoch: int) -> int:
        if self.cycle_epochs is not None:
            return max(1, round(self.cycle_epochs * steps_per_epoch))
        return max(1, round(self.cycle_fraction * total_steps))

    def _place(self, step: int, first: int) -> tuple[int, float]:
        """Return ``k`` and ``t_k / T_k``."""
        if self.t_mult == 1:
            cycle, rest = divmod(step, first)
            return cycle, rest / first
        cycle, rest, length = 0, float(step), float(first)
        while rest >= length:
            rest -= length
            length *= self.t_mult
            cycle += 1
        return cycle, rest / length
