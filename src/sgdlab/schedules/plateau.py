"""Drops when the validation loss has stopped falling."""

import math
from dataclasses import asdict, dataclass, field, fields

from sgdlab.checks import require_number, require_one_of, require_whole
from sgdlab.schedules.base import Schedule

MODES = ("rel", "abs")


@dataclass
class PlateauState:
    """What a `Plateau` has seen.

    Attributes:
        factor: The present factor.
        best: Smallest validation loss so far, by the threshold.
        bad: Evaluations in a row without an improvement.
        cooldown: Evaluations left that do not count as bad.
    """

    factor: float = 1.0
    best: float = math.inf
    bad: int = 0
    cooldown: int = 0


@dataclass(frozen=True, kw_only=True)
class Plateau(Schedule):
    """Reduce on plateau: ``f <- max(γ·f, f_min)`` after more than ``P`` bad evaluations in a row.

    ``f`` is 1 at first. After each evaluation of the validation split the trainer tells its loss
    ``v``, which improves on the best one, ``b``, when ``v < b·(1 - θ)`` (``rel``) or ``v < b - θ``
    (``abs``): then ``b <- v`` and the count of bad evaluations starts again, else it grows by 1.
    When it exceeds ``P``, ``f`` drops, the count starts again, and the next ``C`` evaluations do
    not count as bad. A loss that is not a number is bad.

    This is the one schedule with a state, `state`, which is saved with a run's checkpoint; its
    factor depends on the state only, not on the step. It is
    `torch.optim.lr_scheduler.ReduceLROnPlateau` with ``mode="min"`` and ``eps=0`` (there, changes
    of the learning rate below 1e-8 are left out), in evaluations instead of epochs, and with a
    lower bound on the factor instead of on the learning rate. In a warm-up the ramp multiplies
    ``f``. Against `sgdlab.schedules.step.Step`, whose drops are planned, these are found.

    Attributes:
        gamma: ``γ``, above 0 and below 1; torch's ``factor``.
        patience: ``P``, bad evaluations that are tolerated; torch's default is 10.
        threshold: ``θ``, from 0 (below 1 with ``rel``).
        threshold_mode: ``rel`` or ``abs``.
        cooldown: ``C``, evaluations.
        min_factor: ``f_min``, from 0 to 1.

    Source: Folklore; by hand in Krizhevsky, Sutskever and Hinton (2012).
    """

    gamma: float = 0.1
    patience: int = 5
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_factor: float = 0.0

    state: PlateauState = field(default_factory=PlateauState, init=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("schedule.gamma", self.gamma, 0, 1, open_low=True, open_high=True)
        require_whole("schedule.patience", self.patience, 0, as_float=True)
        require_one_of("schedule.threshold_mode", self.threshold_mode, MODES)
        high = 1 if self.threshold_mode == "rel" else math.inf
        require_number("schedule.threshold", self.threshold, 0, high, open_high=True)
        require_whole("schedule.cooldown", self.cooldown, 0, as_float=True)
        require_number("schedule.min_factor", self.min_factor, 0, 1)

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return the present factor, whatever the step."""
        return self.state.factor

    @property
    def observes(self) -> bool:
        """Always: the factor follows the validation loss."""
        return True

    def observe(self, value: float | None) -> None:
        """Take note of the validation loss of an evaluation."""
        state = self.state
        if value is not None and self._improves(value):
            state.best = value
            state.bad = 0
        else:
            state.bad += 1
        if state.cooldown > 0:
            state.cooldown -= 1
            state.bad = 0
        if state.bad > self.patience:
            state.factor = max(state.factor * self.gamma, self.min_factor)
            state.cooldown = self.cooldown
            state.bad = 0

    def _improves(self, value: float) -> bool:
        best = self.state.best
        relative = self.threshold_mode == "rel"
        return value < (best * (1 - self.threshold) if relative else best - self.threshold)

    def state_dict(self) -> dict[str, float | int]:
        """Return the state as plain numbers."""
        return asdict(self.state)

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        """Go on from what `state_dict` returned."""
        for each in fields(self.state):
            setattr(self.state, each.name, state[each.name])
