"""What all schedules share: their signature, and a warm-up in front."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from sgdlab.checks import require_number, require_one_of, require_whole

WARMUP_SHAPES = ("linear", "exponential", "constant")


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """A factor on the base learning rate as a pure function of progress.

    ``lr_t = lr · g(t)`` in step ``t``, counted from 0. A warm-up of ``W`` steps stands in front of
    the schedule proper, ``f``, which starts with ``f(0)`` (1, but for one-cycle) in step ``W``::

        g(t) = r(t) · f(0)    while t < W
        g(t) = f(t - W)       from then on

        linear       r(t) = (t + 1) / (W + 1)
        exponential  r(t) = s^(1 - t/W)
        constant     r(t) = s

    The linear ramp has ``W + 1`` equal rises from 0, the last one onto the schedule (gradual
    warm-up, Goyal et al. 2017). The exponential one rises from ``s`` by the same factor in every
    step and would be 1 in step ``W``. The constant one jumps from ``s`` to 1 in step ``W`` (He et
    al. 2016 used ``s = 0.1``). Torch's twins, to be chained with
    `torch.optim.lr_scheduler.SequentialLR`, are ``LinearLR(start_factor=1/(W+1), total_iters=W)``,
    ``ExponentialLR(gamma=s^(-1/W))`` from ``s·lr``, and ``ConstantLR(factor=s, total_iters=W)``.

    A schedule has no state (`sgdlab.schedules.plateau.Plateau` excepted), so there is nothing to
    save, and nothing can be off by one when a run continues: a torch scheduler counts its own
    calls, this is told the step.

    Attributes:
        warmup_epochs: ``W`` in epochs, ``W = round(warmup_epochs · steps_per_epoch)``.
        warmup_steps: ``W`` itself; when set, it counts instead of ``warmup_epochs``.
        warmup_shape: ``linear``, ``exponential`` or ``constant``.
        warmup_start: ``s``, above 0 and at most 1; the linear ramp does not use it.

    Raises:
        InputError: One is out of its range or of the wrong kind.
    """

    # Step decays happen at fixed epochs of the run, so they count the warm-up.
    counts_warmup: ClassVar[bool] = False

    warmup_steps: int | None = None
    warmup_epochs: float = 0.0
    warmup_shape: str = "linear"
    warmup_start: float = 0.1

    def __post_init__(self) -> None:
        require_number("schedule.warmup_epochs", self.warmup_epochs)
        if self.warmup_steps is not None:
            require_whole("schedule.warmup_steps", self.warmup_steps, 0, as_float=True)
        require_one_of("schedule.warmup_shape", self.warmup_shape, WARMUP_SHAPES)
        require_number("schedule.warmup_start", self.warmup_start, 0, 1, open_low=True)

    def warmup(self, steps_per_epoch: int) -> int:
        """Return ``W``, the steps of the warm-up."""
        if self.warmup_steps is not None:
            return int(self.warmup_steps)
        return round(self.warmup_epochs * steps_per_epoch)

    def __call__(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return the factor on the base learning rate, ``g(step)``.

        Args:
            step: The step, counted from 0; ``total_steps`` is the point at which the run has ended.
            total_steps: The steps of the run, warm-up included.
            steps_per_epoch: The steps of an epoch.
        """
        warmup = self.warmup(steps_per_epoch)
        start = 0 if self.counts_warmup else warmup
        if step < warmup:
            return self._ramp(step, warmup) * self.factor(0, total_steps - start, steps_per_epoch)
        return self.factor(step - start, total_steps - start, steps_per_epoch)

    def _ramp(self, step: int, warmup: int) -> float:
        if self.warmup_shape == "linear":
            return (step + 1) / (warmup + 1)
        if self.warmup_shape == "exponential":
            return self.warmup_start ** (1 - step / warmup)
        return self.warmup_start

    @abstractmethod
    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return the factor of the schedule proper, ``f(step)``, from 0 to 1.

        Args:
            step: The step, counted from the end of the warm-up (from the start of the run with
                ``counts_warmup``).
            total_steps: The step at which the run ends, counted likewise; 0 or less when it ends
                within the warm-up.
            steps_per_epoch: The steps of an epoch.
        """

    def momentum(self, step: int, total_steps: int, steps_per_epoch: int) -> float | None:
        """Return the momentum of a step, for ``momentum`` or the first of ``betas``.

        None, as here, leaves the optimizer's own alone. The arguments are those of a call.
        """
        return None

    @property
    def observes(self) -> bool:
        """Whether the schedule follows the validation loss, and so has a state of its own."""
        return False

    def observe(self, value: float | None) -> None:  # noqa: B027
        """Take note of the validation loss of an evaluation; without a state, do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain values; empty where there is none."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Go on from what `state_dict` returned."""


@dataclass(frozen=True, kw_only=True)
class CallableSchedule(Schedule):
    """A callable of a user as a `Schedule`, with as many methods of one as the callable has.

    Attributes:
        own: The callable; it takes step, total steps and steps per epoch.
    """

    own: Any

    def __post_init__(self) -> None:
        """Check nothing: the settings are those of the callable."""

    def warmup(self, steps_per_epoch: int) -> int:
        """Return the warm-up that the callable says it has; by default none."""
        return self.own.warmup(steps_per_epoch) if hasattr(self.own, "warmup") else 0

    def __call__(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return the factor on the base learning rate."""
        return self.own(step, total_steps, steps_per_epoch)

    factor = __call__

    def momentum(self, step: int, total_steps: int, steps_per_epoch: int) -> float | None:
        """Return the momentum that the callable gives; by default None."""
        if not hasattr(self.own, "momentum"):
            return None
        return self.own.momentum(step, total_steps, steps_per_epoch)

    @property
    def observes(self) -> bool:
        """Whether the callable has a method ``observe``."""
        return hasattr(self.own, "observe")

    def observe(self, value: float | None) -> None:
        """Pass the validation loss on to a callable that observes."""
        if self.observes:
            self.own.observe(value)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of a callable that has one."""
        return self.own.state_dict() if hasattr(self.own, "state_dict") else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of a callable that has one."""
        if hasattr(self.own, "load_state_dict"):
            self.own.load_state_dict(state)


def as_schedule(candidate: Callable[[int, int, int], float]) -> Schedule:
    """Return a schedule of ours as it is, and any other callable as a `Schedule`."""
    return candidate if isinstance(candidate, Schedule) else CallableSchedule(own=candidate)


def progress(step: int, total_steps: int) -> float:
    """Return ``step / total_steps``, at most 1; 0 for an empty run."""
    return min(step / total_steps, 1.0) if total_steps > 0 else 0.0
