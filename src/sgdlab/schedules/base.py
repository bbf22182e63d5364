"""What all schedules share: their signature, and linear warm-up in front."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from sgdlab.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """A factor on the base learning rate as a pure function of progress.

    With a warm-up of ``W`` steps, step ``t`` (counted from 0) has the factor
    ``(t + 1) / (W + 1)`` while ``t < W`` and then that of the schedule proper, which starts at 1
    in step ``W``: the ramp has ``W + 1`` equal rises from 0, the last one onto the schedule
    (gradual warm-up, Goyal et al. 2017).

    A schedule has no state, so there is nothing to save, and nothing can be off by one when a run
    continues.

    Attributes:
        warmup_epochs: ``W`` in epochs, ``W = round(warmup_epochs · steps_per_epoch)``.
        warmup_steps: ``W`` itself; when set, it counts instead of ``warmup_epochs``.

    Raises:
        InputError: One is negative or no number.
    """

    # Step decays happen at fixed epochs of the run, so they count the warm-up.
    counts_warmup: ClassVar[bool] = False

    warmup_steps: int | None = None
    warmup_epochs: float = 0.0

    def __post_init__(self) -> None:
        require_number("warmup_epochs", self.warmup_epochs, self.warmup_epochs, low=0)
        if self.warmup_steps is None:
            return
        require_number("warmup_steps", self.warmup_steps, self.warmup_steps, low=0)
        if self.warmup_steps != int(self.warmup_steps):
            raise InputError(f"schedule.warmup_steps={self.warmup_steps}: must be a whole number")

    def warmup(self, steps_per_epoch: int) -> int:
        """Return ``W``, the steps of the warm-up."""
        if self.warmup_steps is not None:
            return int(self.warmup_steps)
        return round(self.warmup_epochs * steps_per_epoch)

    def __call__(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return the factor on the base learning rate.

        Args:
            step: Counted from 0; ``total_steps`` is the point at which the run has ended.
            total_steps: Of the run, warm-up included.
            steps_per_epoch: Updates of an epoch.
        """
        warmup = self.warmup(steps_per_epoch)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        start = 0 if self.counts_warmup else warmup
        return self.factor(step - start, total_steps - start, steps_per_epoch)

    @abstractmethod
    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return the factor of the schedule proper, 1 at its step 0.

        Args:
            step: Counted from the end of the warm-up (from the start of the run with
                ``counts_warmup``).
            total_steps: Likewise.
            steps_per_epoch: Updates of an epoch.
        """


def progress(step: int, total_steps: int) -> float:
    """Return ``step / total_steps``, at most 1; 0 for an empty run."""
    return min(step / total_steps, 1.0) if total_steps > 0 else 0.0


def require_number(
    key: str,
    value: object,
    shown: object,
    *,
    low: float,
    high: float = math.inf,
    open_low: bool = False,
) -> None:
    """Refuse what is not a finite number from ``low`` (beyond it if ``open_low``) to ``high``.

    Args:
        key: Name in the ``schedule`` section.
        value: To check; the command line may have given text.
        shown: What the message shows: the list, when ``value`` is an element of one.
        low: Smallest value.
        high: Largest value.
        open_low: ``low`` itself is refused.

    Raises:
        InputError: Says the key, its value and what would be right.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        above = value > low if open_low else value >= low
        if above and value <= high:
            return
    right = f"above {low:g}" if open_low else f"from {low:g}"
    limit = f" to {high:g}" if math.isfinite(high) else ""
    raise InputError(f"schedule.{key}={shown}: must be a number {right}{limit}")
