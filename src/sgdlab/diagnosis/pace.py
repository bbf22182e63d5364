"""Runs that get nowhere: too slowly, or not at all."""

from dataclasses import dataclass

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import Series, curve, rank_trend
from sgdlab.diagnosis.words import number, percent

LITTLE = 0.25
"""Fall of the training loss, as a share of its start, that a run of many epochs should exceed."""

STRAIGHT = 0.45
"""Fall in the second half of the way (in units of the rate) over that in the first. What converges
slows down: an exponential approach that gets halfway has 0.3; a straight line has 1."""

STEADY = -0.9
"""Rank correlation of the training loss with time: a rate that is too low falls without noise."""

NOTHING = 0.03
"""Fall of the training loss, as a share of its start, that counts as none."""

FOLLOWS = 0.4
"""Fall of the validation loss over that of the training loss where both see the same pattern."""

MANY_EPOCHS, MANY_STEPS = 5, 100
"""A run shorter than both is short rather than slow, ..."""

FEW_STEPS = 20
"""... and so is one of so few steps, however many epochs they are."""

ZERO = 1e-7
"""A gradient norm that is 0 but for rounding in float32."""


@dataclass(frozen=True)
class Pace:
    """How far a run came, in shares of the loss at its start.

    Attributes:
        fall: Fall of the training loss.
        val_fall: Fall of the validation loss at the end; None where it was not measured.
        best_val_fall: Fall of the validation loss at its lowest; None likewise.
        straightness: Second half of the fall over the first, halves of the way.
        trend: Rank correlation of the training loss with time.
    """

    fall: float
    val_fall: float | None
    best_val_fall: float | None
    straightness: float
    trend: float

    @property
    def is_followed(self) -> bool:
        """Whether validation falls with training."""
        return self.val_fall is None or self.val_fall >= FOLLOWS * self.fall


def pace_of(run: RunRecord) -> Pace | None:
    """Return how far a run came; None where there is too little to tell."""
    x, y = run.progress
    if len(run.loss) < 5 or len(y) < 3 or not np.isfinite(y).all() or not np.isfinite(run.start):
        return None
    way = travelled(run, x)
    half, end = float(np.interp(0.5, way, y)), float(y[-1])
    early, late = run.start - half, half - end
    val = run.val.loss
    measured = not run.is_problem and len(val) >= 2 and bool(np.isfinite(val).all())
    return Pace(
        fall=(run.start - end) / run.scale,
        val_fall=float(val[0] - val[-1]) / run.scale if measured else None,
        best_val_fall=float(val[0] - val.min()) / run.scale if measured else None,
        straightness=late / early if early > 0 else float("inf" if late > 0 else 0),
        trend=rank_trend(y),
    )


def travelled(run: RunRecord, steps: Series) -> Series:
    """Return how much of the way is done after ``steps``: the sum of the rates, from 0 to 1."""
    total = np.concatenate([[0.0], np.cumsum(run.lr)])
    if total[-1] <= 0:
        return np.linspace(0, 1, len(steps))
    known = np.concatenate([[0.0], run.step])
    return np.interp(steps, known, total / total[-1])


def is_slow(run: RunRecord) -> bool:
    """Whether a run goes straight on, and would have far to go."""
    pace = pace_of(run)
    if pace is None or _is_short(run) or run.starts_trained:
        return False
    if abs(pace.fall) < NOTHING and _could_not_move(run):
        return True
    straight = pace.straightness >= STRAIGHT and pace.trend <= STEADY and pace.is_followed
    return 0 < pace.fall < LITTLE and straight


def _is_short(run: RunRecord) -> bool:
    epochs = float(run.steps["epoch"][-1]) if len(run.loss) else 0.0
    few = len(run.loss) < FEW_STEPS
    return few or (epochs < MANY_EPOCHS and len(run.loss) < MANY_STEPS)


def _could_not_move(run: RunRecord) -> bool:
    """Whether rates and gradients of a run are too small for a visible fall, to first order.

    A step lowers the loss by ``lr·|g|²`` (momentum β: divided by 1 - β); where every coordinate
    moves by ``lr`` at most, by ``lr·|g|₁ ≤ lr·|g|·√d`` with ``d`` parameters.
    """
    norm = np.minimum(run.grad_norm, float(run.config.get("clip_norm") or np.inf))
    adaptive = run.traits.adaptive
    if adaptive is None or not np.isfinite(norm).all() or float(np.median(norm)) <= ZERO:
        return False
    if adaptive:
        parameters = (run.summary or {}).get("num_parameters")
        if not isinstance(parameters, int):
            return False
        possible = float((run.lr * norm).sum()) * parameters**0.5
    else:
        possible = float((run.lr * norm**2).sum()) / (1 - min(run.momentum, 0.999))
    return possible < NOTHING * run.scale


def slow(run: RunRecord) -> Finding | None:
    """Return the finding that the rate is too low for the length of the run."""
    pace = pace_of(run)
    if pace is None or not is_slow(run):
        return None
    x, y = run.progress
    rate = float(run.config["lr"])
    return Finding(
        "slow",
        "problem" if pace.fall < LITTLE / 3 else "warning",
        "Training is very slow",
        [
            f"training loss {number(run.start)} at the start, {number(y[-1])} after "
            f"{int(run.step[-1]):,} steps: {percent(max(pace.fall, 0))} of it is gone",
            f"the second half of the way brings {number(pace.straightness, 2)} times what the "
            "first brought: a straight line, far from any minimum"
            if np.isfinite(pace.straightness) and pace.fall > 0
            else "the rates times the gradients are too small for a visible fall",
        ],
        f"lr {number(np.nanmax(run.lr))} is too low",
        improved(run, {"lr": rounded(rate * 10)}),
        "the loss falls about ten times as fast at first; go on until it does not, or ask "
        "sgdlab lr-find with the same model and data",
        Picture((curve("training loss", x, y),), "loss"),
        explains=("still_improving", "plateau", "fixed_lr"),
    )
