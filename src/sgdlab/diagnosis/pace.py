"""Runs that get nowhere: too slowly, or not at all."""

from dataclasses import dataclass

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.schedule import warmup_steps
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

UNLEARNED = 0.08
"""Fall of the validation loss, as a share of its start, that even a constant prediction gives:
weights at random start a little above chance."""

FOLLOWS = 0.4
"""Fall of the validation loss over that of the training loss where both see the same pattern."""

GAINED = 0.05
"""Gain of validation accuracy that a model which learns exceeds."""

BY_HEART = 0.5
"""Fall of the training loss, as a share of its start, from which something is learned, if only the
training examples: then it is overfitting."""

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


def plateau(run: RunRecord) -> Finding | None:
    """Return the finding that nothing is learned from the first step on."""
    pace = pace_of(run)
    if pace is None or is_slow(run) or run.starts_trained:
        return None
    norm = run.grad_norm[np.isfinite(run.grad_norm)]
    dead = len(norm) > 0 and float(np.median(norm)) <= ZERO and pace.fall < 0.5
    # A rate that is still near 0 has moved nothing yet, and a few steps need not show it.
    young = len(run.loss) < max(FEW_STEPS, (warmup_steps(run) or 0) + 1)
    steady = pace.trend <= STEADY and pace.is_followed and pace.straightness >= STRAIGHT
    stuck = pace.fall < NOTHING and not (steady and pace.fall > 0)
    unlearned = (
        pace.best_val_fall is not None
        and pace.best_val_fall < UNLEARNED
        and (not pace.is_followed or (pace.straightness < STRAIGHT and _gains_nothing(run)))
        and 0 < pace.fall < BY_HEART
    )
    if not (dead or ((stuck or unlearned) and not young)):
        return None
    x, y = run.progress
    evidence = [
        f"training loss {number(run.start)} at the start, {number(y[-1])} after "
        f"{int(run.step[-1]):,} steps",
    ]
    if len(norm):
        evidence.append(
            f"gradient norm {number(np.median(norm))} in the median"
            + (": there is nothing to follow" if dead else "")
        )
    curves = [curve("train", x, y)]
    if not run.is_problem and len(run.val.loss) > 1:
        val = run.val
        evidence.append(
            f"validation loss {number(val.loss[0])} at the start, at best "
            f"{number(val.loss.min())}; {run.metric} {number(val.metric[0])}, "
            f"at the end {number(val.metric[-1])}"
        )
        curves.append(curve("val", val.step, val.loss))
    if dead:
        cause = (
            "no gradient reaches the weights: a part that is detached, a loss that ignores the "
            "output, units that are all dead"
        )
        action, confirm = _with_more_columns(run), "a gradient norm above 0 in the first step"
    else:
        cause = (
            "labels that do not belong to their inputs, a loss that does not measure the task, or "
            "a rate so high that the first steps destroy the weights"
        )
        if unlearned and not stuck:
            cause = (
                "training examples are learned by heart, and nothing of it holds for validation: "
                "labels that do not belong to their inputs, or splits that differ"
            )
        action = improved(run, {"lr": rounded(float(run.config["lr"]) / 10)})
        confirm = (
            "if a tenth of the rate learns no more, look at ten examples with their labels as the "
            "model gets them, and let it learn those ten by heart"
        )
    return Finding(
        "plateau",
        "problem",
        "Nothing is learned from the first step on",
        evidence,
        cause,
        action,
        confirm,
        Picture(tuple(curves), "loss"),
        explains=("still_improving", "overfits", "fixed_lr", "noisy_but_falling", "oscillates"),
    )


def _gains_nothing(run: RunRecord) -> bool:
    """Whether validation accuracy is where chance had it."""
    if run.metric != "accuracy" or len(run.val.metric) < 3:
        return False
    return float(run.val.metric[1:].max() - run.val.metric[0]) < GAINED


def _with_more_columns(run: RunRecord) -> str:
    if any(column.startswith("grad_norm.") for column in run.steps):
        return (
            "look in steps.csv for the first layer whose grad_norm.LAYER is 0, and in it for "
            "a detach(), requires_grad=False or an output that does not depend on the weights"
        )
    return improved(run, diagnostics="business")
