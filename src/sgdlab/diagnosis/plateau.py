"""Runs in which nothing is learned from the first step on."""

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.pace import FEW_STEPS, NOTHING, STEADY, STRAIGHT, ZERO, is_slow, pace_of
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.schedule import warmup_steps
from sgdlab.diagnosis.series import curve
from sgdlab.diagnosis.words import number

UNLEARNED = 0.08
"""Fall of the validation loss, as a share of its start, that even a constant prediction gives:
weights at random start a little above chance."""

GAINED = 0.05
"""Gain of validation accuracy that a model which learns exceeds."""

LEARNS = 0.1
"""Fall of the training loss, as a share of its start, that shows that training examples are
learned: less of it can be chance, or what a constant prediction gives."""

BY_HEART = 0.5
"""Fall of the training loss, as a share of its start, from which something is learned, if only the
training examples: then it is overfitting."""


def plateau(run: RunRecord) -> Finding | None:
    """Return the finding that nothing is learned from the first step on."""
    pace = pace_of(run)
    if pace is None or is_slow(run) or run.starts_trained:
        return None
    norm = run.grad_norm[np.isfinite(run.grad_norm)]
    dead = len(norm) > 0 and float(np.median(norm)) <= ZERO and pace.fall < 0.5
    # A rate that is still near 0 has moved nothing yet, and a few steps need not show it.
    young = len(run.loss) < max(FEW_STEPS, 2 * (warmup_steps(run) or 0))
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
        if unlearned and not stuck and pace.fall >= LEARNS:
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
