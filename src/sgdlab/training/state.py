"""How far a run is, and how it ended."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from sgdlab.results import has_result, last_row
from sgdlab.training.evaluation import Evaluation


@dataclass
class TrainState:
    """How far a run is: plain values, so that a checkpoint can hold them.

    The loop changes it in place: whoever made it knows how far the run was when it failed.
    ``unevaluated`` says that what is evaluated at this step is still to be.
    """

    step: int = 0
    epoch: int = 0
    examples: int = 0
    train_seconds: float = 0.0
    initial_loss: float = math.nan
    constant_loss: float = 0.0
    stop_best: float | None = None
    stop_waited: int = 0
    train_loss: float | None = None
    val_loss: float | None = None
    val_metric: float | None = None
    best_val_loss: float | None = None
    best_val_metric: float | None = None
    best_val_step: int | None = None
    average_train_loss: float | None = None
    average_val_loss: float | None = None
    average_val_metric: float | None = None
    function_evaluations: int = 0
    gradient_evaluations: int = 0
    running: list[float] = field(default_factory=list[float])
    unevaluated: bool = False

    def claim_no_more_than(self, directory: Path) -> None:
        """Put a run that failed back to its last row on disk: what could not be written is lost."""
        step, _, examples = last_row(directory)
        if step < self.step:
            self.step, self.examples = step, examples

    def record(self, train: Evaluation, val: Evaluation, direction: str) -> None:
        """Take the evaluations at this step; a validation that is not finite is never the best.

        Args:
            train: The evaluation of the training split.
            val: The evaluation of the validation split.
            direction: Whether the larger or the smaller metric is better, ``max`` or ``min``.
        """
        self.train_loss = train.loss
        self.val_loss, self.val_metric = val
        if not math.isfinite(val.loss):
            return
        if self.best_val_loss is None or val.loss < self.best_val_loss:
            self.best_val_loss = val.loss
        if not math.isfinite(val.metric):
            return
        better = max if direction == "max" else min
        old = self.best_val_metric
        best = val.metric if old is None else better(old, val.metric)
        if best != old:
            self.best_val_metric, self.best_val_step = best, self.step


@dataclass
class Outcome:
    """How a run ended. Divergence is a result, not an exception."""

    status: str
    reason: str | None = None
    progress: TrainState = field(default_factory=TrainState)
    test: Evaluation | None = None
    average_test: Evaluation | None = None

    @property
    def has_result(self) -> bool:
        """Whether it ended as it was meant to: at its last step, or stopped by its rule."""
        return has_result(self.status, self.reason)


def next_stop(step: int, end: int, checkpoint_every: int | None) -> int:
    """Return the step after which there is something else to do than to train.

    Args:
        step: The steps made so far.
        end: The last step of the epoch or of the run.
        checkpoint_every: The steps between checkpoints, if there are any.
    """
    if not checkpoint_every:
        return end
    return min(end, (step // checkpoint_every + 1) * checkpoint_every)
