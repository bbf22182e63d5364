"""Batch, mini-batch and pure SGD on one problem, measured."""

from dataclasses import asdict, dataclass, fields

import torch

from sgdlab.results import Cell
from sgdlab.training.build import Run, build_run
from sgdlab.verify.convergence import MODES, Mode, settings
from sgdlab.verify.estimators import gradient
from sgdlab.verify.gaps import gaps
from sgdlab.verify.lab import config_of, train

TARGET = 0.01
"""Of the first gap: what the steps are counted to."""

STEPS = 600
"""Of the runs that are measured."""


@dataclass(frozen=True)
class ModeRow:
    """What one mode costs and what it buys.

    Attributes:
        mode: Name.
        batch_size: Examples of a step.
        lr: Constant.
        gradient_variance: Mean ``|g_B - G|²`` over an epoch's batches at the start.
        seconds_per_step: Of training alone.
        steps: To the first iterate within the target gap; None: not reached.
        examples: Seen by then.
        seconds: Of training, to then: steps times their cost.
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
    batches = run.plan.epoch(x, y, run.config.seed, 0)
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
    return ModeRow(
        mode=mode.name,
        batch_size=run.run.plan.effective_batch_size,
        lr=mode.lr / smoothness,
        gradient_variance=variance(build_run(config_of(*chosen))),
        seconds_per_step=cost,
        steps=steps,
        examples=None if not steps else int(run.rows[steps - 1][2] or 0),
        seconds=None if not steps else steps * cost,
    )


def table() -> list[dict[str, Cell]]:
    """Measure all modes; seconds are those of this machine, alone if nothing else runs on it."""
    problem = build_run(config_of(*settings("logistic", MODES[0], 1.0))).data.problem
    assert problem is not None
    assert problem.smoothness is not None
    return [asdict(measure(mode, problem.smoothness)) for mode in MODES]
