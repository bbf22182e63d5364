"""The base learning rate throughout."""

from dataclasses import dataclass

from sgdlab.schedules.base import Schedule


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """``f(t) = 1``.

    Not `torch.optim.lr_scheduler.ConstantLR`, which holds a smaller factor for its first steps:
    that is ``warmup_shape=constant`` here.
    """

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return 1."""
        return 1.0
