"""The same relative decay in every epoch."""

from dataclasses import dataclass

from sgdlab.checks import require_flag, require_number
from sgdlab.schedules.base import Schedule


@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """``f(t) = γ^(t/E)`` with ``E`` steps per epoch, counted from the end of the warm-up.

    Continuous by default, against the jumps at whole epochs of
    `torch.optim.lr_scheduler.ExponentialLR`, which ``staircase`` gives: ``f(t) = γ^⌊t/E⌋``.
    ``f(0) = 1`` and ``f(E) = γ``; it never reaches 0, and its end depends on the number of epochs,
    against `sgdlab.schedules.cosine.Cosine`, whose end is set.

    Attributes:
        gamma: ``γ``, the factor per epoch, above 0 and at most 1.
        staircase: Decay at whole epochs only.

    Source: Practitioners'; Szegedy et al. (2015), "Going deeper with convolutions", lose 4 % every
    8 epochs.
    """

    gamma: float = 0.95
    staircase: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("schedule.gamma", self.gamma, 0, 1, open_low=True)
        require_flag("schedule.staircase", self.staircase)

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)`` for ``E = steps_per_epoch``."""
        epochs = step // steps_per_epoch if self.staircase else step / steps_per_epoch
        return self.gamma**epochs
