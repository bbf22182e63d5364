"""The learning rate over the run: fixed, warming up too long, ending early or late."""

import numpy as np

from sgdlab.diagnosis.blow_up import warmup_setting
from sgdlab.diagnosis.command import improved
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import curve
from sgdlab.diagnosis.words import number, percent, steps

WARMING = 0.5
"""Share of the run that a warm-up may take: usual are 1 to 10 %, of short runs up to a third."""

GONE = 0.02
"""Share of the highest rate that moves the weights no more. A cosine to 0 is below it for the last
9 % of the run, a square for 14 %, two drops by ten at 50 and 75 % for 25 %."""

IDLE = 0.35
"""Share of the run that may pass at such a rate."""

UNFINISHED = 0.05
"""Training loss, as a share of its start, below which an idle end costs nothing."""

HARDLY = 0.9
"""Share of the highest rate at the end, above which a schedule has not acted."""


def fixed_rate(run: RunRecord) -> Finding | None:
    """Return the note that the rate is the same throughout."""
    lr = run.lr
    if len(lr) < 20 or run.is_problem or float(np.ptp(lr[len(lr) // 3 :])) > 1e-3 * float(lr.max()):
        return None
    if run.name("schedule") != "constant" or run.traits.averages_itself:
        return None
    return Finding(
        "fixed_lr",
        "note",
        "The learning rate never changes",
        [f"lr {number(lr[-1])} from step {int(run.step[len(lr) // 3]):,} to the last"],
        "schedule=constant",
        improved(run, warmup_setting(run), schedule="cosine"),
        "a lower loss at the end: a rate that ends near 0 takes away the noise of the last steps",
        Picture((curve("lr", run.step, lr),), "lr"),
    )


def warmup(run: RunRecord) -> Finding | None:
    """Return the finding that the warm-up takes most of the run, or more than all of it."""
    planned, length = run.planned_steps, warmup_steps(run)
    if not planned or not length or length <= WARMING * planned:
        return None
    return Finding(
        "warmup_too_long",
        "problem" if length >= planned else "warning",
        "The warm-up is longer than the run"
        if length >= planned
        else f"The warm-up takes {percent(length / planned)} of the run",
        [
            f"warm-up of {steps(length)} in a run of {steps(planned)}",
            f"highest rate that was used: {number(run.lr.max())}"
            if len(run.lr)
            else "no step was made",
        ],
        "schedule.warmup_epochs was set for a longer run"
        if not run.setting("schedule.warmup_steps")
        else "schedule.warmup_steps was set for a longer run",
        improved(run, _shorter(run)),
        "the rate reaches its full height within the first third, and the loss ends lower",
        Picture((curve("lr", run.step, run.lr),), "lr") if len(run.lr) > 1 else None,
        explains=("slow", "still_improving", "schedule_early"),
    )


def warmup_steps(run: RunRecord) -> int | None:
    """Return the length of the warm-up in steps; None where it is not known."""
    if count := run.setting("schedule.warmup_steps"):
        return int(count)
    epochs = run.setting("schedule.warmup_epochs")
    if not epochs:
        return None
    if run.steps_per_epoch:
        return round(float(epochs) * run.steps_per_epoch)
    # Within the first epoch: a warm-up of epochs outlasts it.
    return len(run.step) if float(epochs) >= 1 and run.config.get("max_steps") else None


def _shorter(run: RunRecord) -> dict[str, object]:
    planned = run.planned_steps or 10
    if run.setting("schedule.warmup_steps"):
        return {"schedule.warmup_steps": max(1, planned // 10)}
    epochs = planned / (run.steps_per_epoch or planned)
    return {"schedule.warmup_epochs": max(0.1, round(epochs / 10, 1))}


def ends_early(run: RunRecord) -> Finding | None:
    """Return the finding that the rate is next to nothing for a large part of the run."""
    lr = run.lr
    if len(lr) < 20 or not float(lr.max()) > 0:
        return None
    alive = np.flatnonzero(lr > GONE * float(lr.max()))
    idle = len(lr) - int(alive[-1]) - 1
    if idle < IDLE * len(lr):
        return None
    at = int(run.step[alive[-1]])
    tail = run.loss[np.isfinite(run.loss)][-max(3, len(lr) // 20) :]
    rest = float(np.mean(tail)) if len(tail) else float("nan")
    costs = run.start > 0 and rest > UNFINISHED * run.scale
    name = run.name("schedule")
    return Finding(
        "schedule_early",
        "warning" if costs else "note",
        "The schedule ends long before the run",
        [
            f"from step {at + 1:,} on, {percent(idle / len(lr))} of the run, the rate is below "
            f"{percent(GONE)} of its highest, {number(lr.max())}",
            f"the loss there is {number(rest)}, "
            f"{percent(max(rest / run.scale, 0))} of that at the start",
        ],
        f"schedule={name} falls too fast for a run of {steps(len(lr))}",
        improved(run, schedule="cosine"),
        "the loss goes on falling where it stood still",
        Picture((curve("lr", run.step, lr),), "lr", log_y=True),
        explains=("slow", "still_improving", "plateau"),
    )


def ends_late(run: RunRecord) -> Finding | None:
    """Return the finding that a schedule was chosen and never lowered the rate."""
    lr, name = run.lr, run.name("schedule")
    never = ("constant", "plateau", "schedule", "cosine_restarts")
    if not run.is_complete or len(lr) < 20 or name in never or run.traits.averages_itself:
        return None
    left = float(lr[-1] / lr.max())
    length = warmup_steps(run) or 0
    if left < HARDLY or length >= WARMING * len(lr):
        return None
    if float(run.setting("schedule.final") or 0) >= 0.5:
        return None
    return Finding(
        "schedule_late",
        "warning",
        "The schedule never lowers the learning rate",
        [f"schedule={name}: lr {number(lr[-1])} at the end, {percent(left)} of its highest"],
        "its drops lie beyond the end of the run, or are too small",
        improved(run, schedule="cosine"),
        "a lower loss at the end; a cosine ends with the run, however long that is",
        Picture((curve("lr", run.step, lr),), "lr"),
        explains=("fixed_lr",),
    )
