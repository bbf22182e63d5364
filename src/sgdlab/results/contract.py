"""Names, columns and cells of a run's files: what other programs rely on."""

import json
from typing import Any, NamedTuple


class StepRecord(NamedTuple):
    """What is logged of an optimizer update: a row of ``steps.csv``, before what diagnostics add.

    One run has numbers, read back from the device or not yet; a block of steps of a stack has
    arrays ``[steps, runs]`` of what differs between its runs.

    Attributes:
        step: The step, counted from 1.
        epoch: The epoch, counted from 1.
        examples: The examples that were seen once the step is done.
        lr: The learning rate used.
        loss: The mean over the effective batch at the parameters *before* the update.
        grad_norm: The global L2 norm of the gradient before clipping.
        clip_coef: The factor that clipping applied to it.
    """

    step: Any
    epoch: Any
    examples: Any
    lr: Any
    loss: Any
    grad_norm: Any
    clip_coef: Any


STEP_COLUMNS = StepRecord._fields
"""Columns of ``steps.csv``, a row per optimizer update."""

EVAL_COLUMNS = ("step", "epoch", "examples", "train_seconds", "weights", "split", "loss")
"""A row per evaluation and split, followed by the metric of the task (``accuracy``, ``rmse``).
``step`` updates have been made: step 0 is the initialisation."""

SUMMARY_COLUMNS = (
    "run_id", "study", "phase", "trial", "status", "reason", "engine", "optimizer", "schedule",
    "model", "dataset", "task", "batch_size", "accumulate", "effective_batch_size", "scaling",
    "base_lr", "lr", "seed", "epochs", "steps", "examples", "num_parameters", "num_decayed",
    "optimizer_state_bytes", "peak_memory_bytes", "train_seconds", "examples_per_second",
    "final_train_loss", "final_val_loss", "best_val_loss", "metric", "metric_direction",
    "gradient_evaluations", "function_evaluations", "final_val_metric", "best_val_metric",
    "best_val_step", "test_loss", "test_metric",
)  # fmt: skip
"""One row, followed by the settings of optimizer and schedule (``optimizer.momentum``, …), those of
the model, techniques such as ``staleness.delay``, and results of averaged weights."""


LABEL_COLUMNS = ("contender", "replicate")
"""What a comparison calls a run, among the columns after the settings; older summaries lack them.
``contender`` is what is compared (an optimizer, with the values of scientific parameters where
there are any), ``replicate`` the number of the independent search that the run belongs to."""


def after_summary(column: str) -> tuple[bool, str]:
    """Return the sort key of columns after `SUMMARY_COLUMNS`: optimizer and schedule first."""
    return not column.startswith(("optimizer.", "schedule.")), column


TEXT_COLUMNS = (
    "run_id", "study", "phase", "status", "reason", "engine", "optimizer", "schedule", "model",
    "dataset", "task", "scaling", "metric", "metric_direction", "contender",
)  # fmt: skip
"""Columns that hold text, whatever it looks like: a study may be called 12."""

FINDINGS = ("average.", "optimizer.switch_step", "optimizer.switch_lr")
"""How columns after `SUMMARY_COLUMNS` begin that are results, not settings."""

TIME_AND_MEMORY = ("train_seconds", "examples_per_second", "peak_memory_bytes")
"""Columns that differ from one execution of the same run to the next; all others repeat exactly."""

COMPLETED, DIVERGED, STOPPED = "completed", "diverged", "stopped"
FAILED, UNFINISHED = "failed", "unfinished"
"""``status`` of a run; ``stopped`` is a tuning trial that lost at a rung of successive halving, and
``unfinished`` (no summary) occurs in collected tables only."""

ENDED = (COMPLETED, DIVERGED, STOPPED)
"""The ``status`` of a run that has its result and need not run again."""

TUNE, FINAL, DEFAULTS, TIMING, PILOT = "tune", "final", "defaults", "timing", "pilot"
"""``phase`` of a comparison's run: a trial of a search; a fresh seed for a winner; the same for
settings as shipped; and short runs alone, for times of the winners and for a budget in seconds."""

Cell = str | int | float | bool | None


def text(value: Any) -> str:
    """Return ``value`` as a CSV cell: ``None`` is empty, floats keep every digit."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value)
    return str(value)
