"""Batch, mini-batch and pure SGD on one problem, measured."""

from dataclasses import dataclass, fields

import torch

from sgdlab.training.build import Run, build_run
from sgdlab.verify.convergence import MODES, Mode, settings
from sgdlab.verify.estimators import gradient
from sgdlab.verify.gaps import gaps
from sgdlab.verify.lab import config_of, train

TARGET = 0.01
"""The share of the first gap to which steps are counted."""

STEPS = 600
"""The length of the runs that are measured."""


@dataclass(frozen=True)
class ModeRow:
    """What one mode costs and what it buys.

    Attributes:
        mode: The name of the mode.
        batch_size: Examples of a step.
        lr: The constant learning rate.
        gradient_variance: Mean ``|g_B - G|²`` over an epoch's batches at the start.
        seconds_per_step: Seconds that a step of training takes.
        steps: Steps to the first iterate within the target gap; None: it was not reached.
        examples: Examples seen by then.
        seconds: Seconds of training to then: steps times their cost.
    """

    mode: str
    batch_size: int
    lr: float
    gradient_variance: float
    seconds_per_step: float
    steps: int | None
    examples: int | None
    seconds: float | None


COLUMNS = tuple(field.name for field in fields(ModeRow))


def variance(run: Run) -> float:
    """Return the mean of ``|g_B - G|²`` over the batches of an epoch, at the present weights."""
    x, y = run.data.train
    full = gradient(run, x, y)
    batches = run.plan.epoch(run.data.train, run.config.seed, 0)
    return float(
        torch.stack([(gradient(run, *pair) - full).square().sum() for (pair,) in batches]).mean()
    )


def measure(mode: Mode, smoothness: float) -> ModeRow:
    """Run logistic regression in a mode, and again without keeping iterates for its time."""
    chosen = (*settings("logistic", mode, mode.lr / smoothness), f"max_steps={STEPS}")
    run = train(*chosen)
    found = gaps(run, run.iterates)
    reached = (found <= TARGET * found[0]).nonzero()[0]
    steps = int(reached[0]) if len(reached) else None
    timed = train(*chosen, every=10**9).outcome.progress
    cost = timed.train_seconds / timed.step
    examples = None if not steps else int(run.rows[steps - 1][2] or 0)
    seconds = None if not steps else steps * cost
    noise = variance(build_run(config_of(*chosen)))
    batch = run.run.plan.effective_batch_size
    lr = mode.lr / smoothness
    return ModeRow(mode.name, batch, lr, noise, cost, steps, examples, seconds)


def table() -> list[ModeRow]:
    """Measure all modes; seconds are those of this machine, alone if nothing else runs on it."""
    problem = build_run(config_of(*settings("logistic", MODES[0], 1.0))).data.problem
    assert problem is not None
    assert problem.smoothness is not None
    return [measure(mode, problem.smoothness) for mode in MODES]
