"""A straight line from the base learning rate down to a fraction of it."""

from dataclasses import dataclass

from sgdlab.checks import require_number
from sgdlab.schedules.base import Schedule, progress


@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """``f(t) = 1 - (1 - e) · t/T`` over the ``T`` steps after the warm-up.

    ``f(0) = 1`` and ``f(T) = e``, with the indexing of `sgdlab.schedules.cosine.Cosine` and of
    `torch.optim.lr_scheduler.LinearLR` with ``total_iters = T``, ``start_factor = 1`` and
    ``end_factor = e``. Against `sgdlab.schedules.cosine.Cosine`, it leaves the base rate at once
    and spends fewer steps near ``e``.

    Attributes:
        final: ``e``, from 0 to 1.

    Source: Devlin et al. (2019), "BERT", with a warm-up; Defazio et al. (2023), "When, why and how
    much?", for its theory.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("schedule.final", self.final, 0, 1)

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)`` for ``T = total_steps``."""
        done = progress(step, total_steps)
        return (1 - done) + self.final * done
