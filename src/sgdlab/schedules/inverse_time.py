"""The classical c/t of stochastic approximation."""

from dataclasses import dataclass

from sgdlab.checks import require_number
from sgdlab.schedules.base import Schedule


@dataclass(frozen=True, kw_only=True)
class InverseTime(Schedule):
    """``f(t) = s / (s + t)``, ``t`` counted from the end of the warm-up.

    ``f(0) = 1`` and ``f(s) = ½``; it never reaches 0 and does not depend on the length of the
    run. With ``s = 1``, the default, ``lr_t = lr / (t + 1)``: this is ``c/n`` for the ``n``-th
    step, ``n = 1, 2, …``, with ``c = lr``. The sum of ``c/n`` diverges and that of its squares
    converges, as Robbins and Monro ask for; with ``c = 1/h`` it reaches the rate O(1/T) on a
    problem of curvature ``h``. Deep networks want a far longer ``s``.

    After a warm-up of ``W`` steps, ``s = W + 1`` counts time from the start of the run:
    ``f = (W + 1) / (t_run + 1)``. Torch has no scheduler of this name; in Keras it is
    ``InverseTimeDecay``.

    Attributes:
        timescale: ``s`` in steps, above 0; None is ``W + 1``, which is 1 without a warm-up.

    Source: Robbins and Monro (1951), "A stochastic approximation method".
    """

    timescale: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.timescale is not None:
            require_number("schedule.timescale", self.timescale, open_low=True)

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)``."""
        scale = self.timescale
        if scale is None:
            scale = self.warmup(steps_per_epoch) + 1
        return scale / (scale + step)
