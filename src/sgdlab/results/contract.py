"""Names, columns and cells of a run's files: what other programs rely on."""

import json
import re
from typing import Any, NamedTuple


class StepRecord(NamedTuple):
    """What is logged of an optimizer update: a row of ``steps.csv``, before what diagnostics add.

    One run has numbers, read back from the device or not yet; a block of steps of a stack has
    arrays ``[steps, runs]`` of what differs between its runs.

    Attributes:
        step: The step, counted from 1.
        epoch: The epoch, counted from 1.
        examples: The examples that were seen once the step is done.
        lr: The learning rate that was used, after schedule and scaling.
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

Columns:
    step: The updates that have been made: 0 is the initialisation.
    epoch: The epoch of the last update, 0 before the first.
    examples: The examples that were seen so far.
    train_seconds (s): The time of training so far, without evaluations; empty in a stack.
    weights: ``raw``, or ``average`` for those of an average.
    split: ``train``, ``val`` or ``test``.
    loss: The mean over the whole split.
"""

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
the model, techniques such as ``staleness.delay``, and results of averaged weights.

Columns:
    run_id: The hash of all that determines the run.
    study: The sweep or comparison; empty for a single run.
    phase: ``tune``, ``final``, ``defaults``, ``one``, ``timing`` or ``pilot`` in a comparison.
    trial: The number of the trial in its search.
    status: ``completed``, ``diverged``, ``stopped`` or ``failed``.
    reason: Why it did not complete.
    engine: ``sequential`` (alone) or ``stacked`` (with others).
    optimizer, schedule, model, dataset, scaling: The member of the group.
    task: What the targets are: ``classification``, ``regression``, …
    batch_size (examples): Those of a forward pass.
    accumulate: Micro-batches of an update.
    effective_batch_size (examples): Those of an update, of all processes.
    base_lr, lr: The learning rate that was set, and after scaling, before the schedule.
    seed: The seed.
    epochs, steps, examples: Those that were made.
    num_parameters, num_decayed: Parameters of the model; those that weight decay applies to.
    optimizer_state_bytes (bytes): All tensors in the optimizer's state.
    peak_memory_bytes (bytes): What torch allocated on CUDA; the whole process on a CPU.
    train_seconds (s): The time of training, without evaluations; empty in a stack.
    examples_per_second (1/s): The rate of training; empty in a stack.
    final_train_loss, final_val_loss, final_val_metric: Of the last evaluation, given a result.
    best_val_loss, best_val_metric: The best of any evaluation.
    best_val_step: The step of the best metric.
    metric, metric_direction: The name of the metric, and whether ``max`` or ``min`` is better.
    gradient_evaluations, function_evaluations: How often gradient and loss were computed.
    test_loss, test_metric: Of the test split, at the end, where it was evaluated.
"""


LABEL_COLUMNS = ("contender", "replicate")
"""What a comparison calls a run, among the columns after the settings; older summaries lack them.

Columns:
    contender: What is compared: an optimizer, with the values of scientific parameters, if any.
    replicate: The number of the independent search that the run belongs to.
"""


def after_summary(column: str) -> tuple[bool, str]:
    """Return the sort key of columns after `SUMMARY_COLUMNS`: optimizer and schedule first."""
    return not column.startswith(("optimizer.", "schedule.")), column


TEXT_COLUMNS = (
    "run_id", "study", "phase", "status", "reason", "engine", "optimizer", "schedule", "model",
    "dataset", "task", "scaling", "metric", "metric_direction", "contender",
)  # fmt: skip
"""Columns that hold text, whatever it looks like: a study may be called 12."""

FINDINGS = ("average.", "optimizer.switch_step", "optimizer.switch_lr", "num_frozen")
"""How columns after `SUMMARY_COLUMNS` begin that are results, not settings."""

TIME_AND_MEMORY = ("train_seconds", "examples_per_second", "peak_memory_bytes")
"""Columns that differ from one execution of the same run to the next; all others repeat exactly."""

COMPLETED, DIVERGED, STOPPED = "completed", "diverged", "stopped"
FAILED, UNFINISHED = "failed", "unfinished"
"""``status`` of a run; ``stopped`` is a tuning trial that lost at a rung of successive halving, or
a run that its own rule ended; ``unfinished`` (no summary) occurs in collected tables only."""

STOPPED_EARLY = "stop.patience"
"""How the ``reason`` of a run begins that its own rule stopped."""


STOPPED_BY_CALLBACK = "callbacks."
"""How the ``reason`` of a run begins that a callback stopped: its name follows."""


def has_result(status: object, reason: object) -> bool:
    """Say whether a run ended as it was meant to: completed, or stopped by a rule of its own.

    Its last evaluation is its result. A trial that lost at a rung of halving has none.
    """
    own = (STOPPED_EARLY, STOPPED_BY_CALLBACK)
    early = status == STOPPED and str(reason or "").startswith(own)
    return status == COMPLETED or early


ENDED = (COMPLETED, DIVERGED, STOPPED)
"""The ``status`` of a run that has its result and need not run again."""

TUNE, FINAL, DEFAULTS, TIMING, PILOT = "tune", "final", "defaults", "timing", "pilot"
ONE = "one"
"""``phase`` of a comparison's run: a trial of a search; a fresh seed for a winner; the same for
settings as shipped; short runs alone, for times of the winners and for a budget in seconds; and
a fresh seed for the setting that is one for all workloads."""

APART = (ONE, DEFAULTS)
"""Phases that are tracks of their own, beside that of the searches and their winners."""

RUN_FILES = (
    "config.yaml", "environment.json", "steps.csv", "evals.csv", "summary.csv", "manifest.json",
    "error.txt", "checkpoint.pt", "checkpoint.previous.pt",
)  # fmt: skip
"""Files that every run may write."""

END_FILES = (
    "layers.csv",
    "minimum.csv",
    "landscape.csv",
    "landscape.svg",
    "final.pt",
    "final_average.pt",
)
"""Files that some runs write at their end."""

Cell = str | int | float | bool | None

# Spreadsheets take such a cell for a formula, and run it; so they do with the wide forms.
_FORMULA = re.compile("'*\\s*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def inert(cell: str) -> str:
    """Return text as a CSV cell that no spreadsheet runs: what would be a formula after a quote.

    Numbers stay as they are. `as_meant` returns the original.
    """
    return f"'{cell}" if _FORMULA.match(cell) and not _is_number(cell) else cell


def as_meant(cell: str) -> str:
    """Return the text that `inert` made a cell of."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def text(value: Any) -> str:
    """Return ``value`` as text: ``None`` is empty, floats keep every digit."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value)
    return str(value)


def as_cell(value: Any) -> str:
    """Return ``value`` as a CSV cell that may be opened in a spreadsheet; see `inert`."""
    return inert(value) if isinstance(value, str) else text(value)
