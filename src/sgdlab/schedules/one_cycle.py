"""Up and down once, with momentum mirrored."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sgdlab.checks import require_flag, require_number, require_one_of
from sgdlab.errors import InputError
from sgdlab.schedules.base import Schedule

SHAPES = ("cosine", "linear")


@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """One rise to the base learning rate and one fall; momentum falls and rises.

    The base learning rate is the peak (``max_lr`` of torch), so ``f <= 1``. Over the ``T`` steps
    after the warm-up, with ``p`` the fraction of rise, ``d`` and ``F`` the two divisors:

    ==============  ==================  ====================  =================
    phase           ends with step      factor                momentum
    ==============  ==================  ====================  =================
    rise            ``p·T - 1``         ``1/d`` to 1          max to base
    fall            ``T - 1``           1 to ``1/(d·F)``      base to max
    ==============  ==================  ====================  =================

    and with ``three_phase``, which annihilates the learning rate in a phase of its own:

    ==============  ==================  ====================  =================
    rise            ``p·T - 1``         ``1/d`` to 1          max to base
    fall            ``2·p·T - 2``       1 to ``1/d``          base to max
    annihilation    ``T - 1``           ``1/d`` to ``1/(dF)`` max
    ==============  ==================  ====================  =================

    Within a phase from ``a`` to ``b``, at the fraction ``x``: ``b + (a - b)·½·(1 + cos(π·x))``
    (``cosine``) or ``a + (b - a)·x`` (``linear``). Unlike our other schedules, the end value
    belongs to the last step, ``T - 1``, not to ``T``: this is the indexing of
    `torch.optim.lr_scheduler.OneCycleLR`, which agrees at every step, given the same settings.

    ``shape=cosine`` is torch's form (and fastai's): ``p = 0.3``, ``F = 10,000``. ``shape=linear``
    is the published one: up for half of the run and down for the other half (``p = 0.5``,
    ``F = 1``), or, with ``three_phase``, both a tenth shorter (``p = 0.45``), then down by
    ``F = 10,000``. A warm-up in front is possible and seldom of use: the rise is one.

    Attributes:
        shape: ``cosine`` or ``linear``.
        pct_start: ``p``, a fraction in spite of torch's name, from 0 to 1 (to 0.5 with
            ``three_phase``); None: as above (0.3 for ``cosine``).
        three_phase: Annihilate in a third phase.
        div_factor: ``d``, from 1.
        final_div_factor: ``F``, from 1; None: as above.
        cycle_momentum: Set momentum (``betas[0]`` of Adam's kind) where there is one; torch also
            gives it to plain SGD, which then is no longer plain.
        base_momentum: Momentum at the peak of the learning rate.
        max_momentum: Momentum at both ends, and in a warm-up.

    Source: Smith and Topin (2018), "Super-convergence"; Smith (2018), "A disciplined approach to
    neural network hyper-parameters".
    """

    shape: str = "cosine"
    pct_start: float | None = None
    three_phase: bool = False
    div_factor: float = 25.0
    final_div_factor: float | None = None
    cycle_momentum: bool = True
    base_momentum: float = 0.85
    max_momentum: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        require_one_of("schedule.shape", self.shape, SHAPES)
        require_flag("schedule.three_phase", self.three_phase)
        require_flag("schedule.cycle_momentum", self.cycle_momentum)
        if self.pct_start is not None:
            most = 0.5 if self.three_phase else 1
            require_number("schedule.pct_start", self.pct_start, 0, most)
        require_number("schedule.div_factor", self.div_factor, 1)
        if self.final_div_factor is not None:
            require_number("schedule.final_div_factor", self.final_div_factor, 1)
        for key in ("base_momentum", "max_momentum"):
            require_number(f"schedule.{key}", getattr(self, key), 0, 1, open_high=True)
        if self.base_momentum > self.max_momentum:
            raise InputError(
                f"schedule.base_momentum={self.base_momentum}: must not exceed "
                f"max_momentum={self.max_momentum}"
            )

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return ``f(step)`` for ``T = total_steps``."""
        start = 1 / self.div_factor
        end = start / self._final_div_factor()
        values = (start, 1.0, start, end) if self.three_phase else (start, 1.0, end)
        return self._at(step, total_steps, values)

    def momentum(self, step: int, total_steps: int, steps_per_epoch: int) -> float | None:
        """Return the momentum of a step; None without ``cycle_momentum``."""
        if not self.cycle_momentum:
            return None
        warmup = self.warmup(steps_per_epoch)
        values = (self.max_momentum, self.base_momentum, self.max_momentum)
        if self.three_phase:
            values = (*values, self.max_momentum)
        return self._at(max(step - warmup, 0), total_steps - warmup, values)

    def _pct_start(self) -> float:
        if self.pct_start is not None:
            return self.pct_start
        if self.shape == "cosine":
            return 0.3
        return 0.45 if self.three_phase else 0.5

    def _final_div_factor(self) -> float:
        if self.final_div_factor is not None:
            return self.final_div_factor
        return 1.0 if self.shape == "linear" and not self.three_phase else 1e4

    def _at(self, step: int, total_steps: int, values: Sequence[float]) -> float:
        """Return the value in ``step`` of a curve that has ``values`` between the phases."""
        total = max(total_steps, 1)
        rise = self._pct_start() * total
        ends = (rise - 1, 2 * rise - 2, total - 1) if self.three_phase else (rise - 1, total - 1)
        start = 0.0
        for end, (first, last) in zip(ends, pairwise(values), strict=True):
            if step <= end:
                # A phase of no length, in a run of few steps, is at its end.
                done = (step - start) / (end - start) if end > start else 1.0
                return self._between(first, last, done)
            start = end
        return values[-1]

    def _between(self, first: float, last: float, done: float) -> float:
        if self.shape == "linear":
            return first + (last - first) * done
        return last + (first - last) * 0.5 * (1 + math.cos(math.pi * done))
