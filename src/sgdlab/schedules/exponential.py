"""The same relative decay in every epoch."""

from dataclasses import dataclass

from sgdlab.schedules.base import Schedule, require_number


@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """``f(t) = γ^(t/E)`` with ``E`` steps per epoch, counted from the end of the warm-up.

    Continuous by default, against the jumps at whole epochs of
    `torch.optim.lr_scheduler.ExponentialLR`, which ``staircase`` gives: ``f(t) = γ^⌊t/E⌋``.

    Attributes:
        gamma: ``γ``, the factor per epoch, above 0.
        staircase: Decay at whole epochs only.
    """

    gamma: float = 0.95
    staircase: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("gamma", self.gamma, self.gamma, low=0, high=1, open_low=True)

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)`` for ``E = steps_per_epoch``."""
        epochs = step // steps_per_epoch if self.staircase else step / steps_per_epoch
        return self.gamma**epochs
