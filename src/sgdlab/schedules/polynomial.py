"""A power of what is left of the run."""

from dataclasses import dataclass

from sgdlab.checks import require_number
from sgdlab.schedules.base import Schedule, progress


@dataclass(frozen=True, kw_only=True)
class Polynomial(Schedule):
    """``f(t) = e + (1 - e) · (1 - t/T)^p`` over the ``T`` steps after the warm-up.

    ``f(0) = 1`` and ``f(T) = e``, with the indexing of `sgdlab.schedules.cosine.Cosine`: the last
    step, ``T - 1``, is still above ``e``. With ``p = 1`` it is `sgdlab.schedules.linear.Linear`;
    a larger ``p`` falls early and ends gently, a smaller one falls late and ends abruptly. With
    ``e = 0`` it is `torch.optim.lr_scheduler.PolynomialLR` with ``total_iters = T``.

    Attributes:
        power: ``p``, above 0; 2 with LARS (You et al. 2017), 0.9 in segmentation (Chen et al.
            2017).
        final: ``e``, from 0 to 1.

    Source: Liu, Rabinovich and Berg (2015), "ParseNet"; first in Caffe, as ``poly``.
    """

    power: float = 2.0
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("schedule.power", self.power, open_low=True)
        require_number("schedule.final", self.final, 0, 1)

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)`` for ``T = total_steps``."""
        return self.final + (1 - self.final) * (1 - progress(step, total_steps)) ** self.power
