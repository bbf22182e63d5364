"""Drops by a constant factor at chosen epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from sgdlab.checks import require_number
from sgdlab.errors import InputError
from sgdlab.schedules.base import Schedule


@dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """``f(t) = γ^k`` with ``k`` drops up to step ``t``.

    Drops come every ``step_size`` epochs, or at ``milestones``; epochs are those of the run, the
    warm-up included (Goyal et al. 2017 drop at epochs 30, 60 and 80 with 5 of warm-up). An epoch
    ``e`` begins with step ``round(e · steps_per_epoch)``. The schedules of torch that do the same
    are `torch.optim.lr_scheduler.StepLR` and `torch.optim.lr_scheduler.MultiStepLR`. Drops that
    are found instead of planned: `sgdlab.schedules.plateau.Plateau`.

    Attributes:
        step_size: Epochs between drops, above 0; without effect when there are milestones.
        gamma: ``γ``, above 0 and at most 1.
        milestones: Epochs of the drops, rising, above 0.

    Source: He et al. (2016), "Deep residual learning"; Goyal et al. (2017), "Accurate, large
    minibatch SGD".
    """

    counts_warmup: ClassVar[bool] = True

    step_size: float = 10
    gamma: float = 0.1
    milestones: Sequence[float] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("schedule.step_size", self.step_size, open_low=True)
        require_number("schedule.gamma", self.gamma, 0, 1, open_low=True)
        # Whatever the command line gave: the annotation is a promise that nobody checked yet.
        given = cast(object, self.milestones)
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise InputError(f"schedule.milestones={given}: must be a list, such as [15,25]")
        for epoch in self.milestones:
            require_number("schedule.milestones", epoch, open_low=True, shown=list(self.milestones))
        if sorted(set(self.milestones)) != list(self.milestones):
            raise InputError(f"schedule.milestones={list(self.milestones)}: must rise")

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)``."""
        if self.milestones:
            drops = sum(step >= round(epoch * steps_per_epoch) for epoch in self.milestones)
        else:
            drops = step // max(1, round(self.step_size * steps_per_epoch))
        return self.gamma**drops
