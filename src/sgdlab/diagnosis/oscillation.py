"""Losses that go up and down: of a run that does not settle, and of small batches that do."""

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import (
    Series,
    autocorrelation,
    block_means,
    curve,
    largest_rise,
    rises,
    running_median,
    spread,
)
from sgdlab.diagnosis.words import number, percent, times

BACK = 0.35
"""Rises of the training loss as a share of its falls, after the first fifth of the run: a run that
converges goes down with small steps back."""

HEIGHT = 0.1
"""The largest rise, as a share of the loss at the start: below, the way down is ragged, no more."""

ALTERNATES = -0.8
"""Correlation of successive changes of a loss: -1 where every step goes beyond the minimum and the
next one back, -0.5 of pure noise."""

VISIBLE = 0.02
"""Size of such changes, as a share of the loss."""

OPPOSED = -0.5
"""Cosine of successive gradients: batches that disagree give values about 0, a step across a valley
and back -1."""

CERTAIN = 3.0
"""Standard errors of a difference of means that no noise exceeds."""

NOISY = 0.25
"""Spread of the loss about its running median, as a share of the median."""


def oscillates(run: RunRecord) -> Finding | None:
    """Return the finding that the loss itself goes up and down, not only that of the batches."""
    found = _turns_back(run) or _alternates(run) or _waves(run)
    if found is None:
        return None
    evidence, x, y = found
    return Finding(
        "oscillates",
        "warning",
        "The loss oscillates instead of settling",
        evidence,
        *_cause_and_action(run),
        "the rises shrink to a small share of the falls; a schedule that ends near 0 shows how "
        "much of them is the rate's",
        Picture((curve("loss", x, y),), "loss", log_y=bool(np.nanmin(y) > 0)),
        explains=("noisy_but_falling", "still_improving", "fixed_lr", "slow", "gradient_grows"),
    )


def _turns_back(run: RunRecord) -> tuple[list[str], Series, Series] | None:
    """Say that successive gradients point to and fro, where diagnostics measured it."""
    cosine = run.steps.get("grad_cosine")
    if cosine is None:
        return None
    good = np.isfinite(cosine)
    late = cosine[good][int(good.sum()) // 5 :]
    if len(late) < 5 or float(np.median(late)) > OPPOSED:
        return None
    said = f"cosine between successive gradients {number(np.median(late))} in the median"
    return [f"{said}: each step goes beyond the minimum of its direction"], run.step, run.loss


def _alternates(run: RunRecord) -> tuple[list[str], Series, Series] | None:
    """Say how the loss jumps from step to step, where the batch is not what changes it.

    The training loss is the same on both sides of a valley; that of validation is not.
    """
    if not run.is_deterministic:
        return None
    found = [("training", run.step, run.loss)]
    if not run.is_problem:
        found.append(("validation", run.val.step, run.val.loss))
    for name, x, y in found:
        if len(y) < 10 or not np.isfinite(y).all():
            continue
        late = y[len(y) // 5 :]
        changes = np.diff(late)
        lag, height = autocorrelation(changes), float(np.median(np.abs(changes)))
        level = abs(float(np.median(late)))
        if lag < ALTERNATES and height > VISIBLE * level:
            return (
                [
                    f"the {name} loss goes up and down from step to step, by {number(height)} "
                    f"about {number(level)}",
                    f"correlation of successive changes {number(lag)}: -1 is a jump to and fro",
                ],
                x,
                y,
            )
    return None


def _waves(run: RunRecord) -> tuple[list[str], Series, Series] | None:
    """Say how far the training loss goes up again, and how much of its falls that undoes."""
    x, y = (run.step, run.loss) if run.is_deterministic else run.progress
    if len(y) < 6 or not np.isfinite(y).all():
        return None
    from_ = max(1, len(y) // 5)
    late = y[from_:]
    up, down = rises(late)
    low, high = largest_rise(late)
    height = float(late[high] - late[low])
    noise = 0.0 if run.is_deterministic else CERTAIN * run.progress_noise
    share = up / down if down > 0 else float(up > 0)
    if height < max(HEIGHT * run.scale, noise) or share < BACK:
        return None
    return (
        [
            f"the training loss rises from {number(late[low])} after step "
            f"{int(x[from_ + low]):,} to {number(late[high])} after step "
            f"{int(x[from_ + high]):,}",
            f"after the first fifth of the run it falls by {number(down)} in all, and rises by "
            f"{number(up)}, {percent(share)} of it",
        ],
        x,
        y,
    )


def _cause_and_action(run: RunRecord) -> tuple[str, str]:
    rate, batch = float(run.config["lr"]), run.effective_batch or 0
    if run.momentum >= 0.95:
        cause = f"momentum {run.momentum:g} carries the weights past the minimum again and again"
        return cause, improved(run, {"optimizer.momentum": 0.9})
    if 0 < batch <= 8 and not run.is_problem:
        cause = f"batches of {batch}: the gradient's noise is larger than the step bears"
        return cause, improved(run, {"batch_size": 32})
    changes: dict[str, object] = {"lr": rounded(rate / 3)}
    if run.momentum > 0.85:
        changes = {"optimizer.momentum": 0.85, **changes}
    return f"lr {number(np.nanmax(run.lr))} is near the limit of stability", improved(run, changes)


def noisy_but_falling(run: RunRecord) -> Finding | None:
    """Return the note that the loss of the batches is noisy while its mean falls."""
    loss = run.loss
    if len(loss) < 40 or not np.isfinite(loss).all() or run.is_deterministic:
        return None
    middle = running_median(loss, 21)
    share = spread(loss - middle) / max(abs(float(np.median(middle))), 1e-12)
    level = block_means(loss, 8)
    down = float(level[0] - level[-1])
    if share < NOISY or down < 0.1 * run.scale:
        return None
    return Finding(
        "noisy_but_falling",
        "note",
        "The loss is noisy, and falls: nothing is wrong",
        [
            f"batches of {run.effective_batch}: losses vary by {percent(share)} about their median",
            f"its mean falls from {number(level[0])} in the first eighth to "
            f"{number(level[-1])} in the last ({times(level[-1] / level[0])})"
            if level[0] > 0
            else f"its mean falls by {number(down)}",
        ],
        "small batches",
        "look at the trend: loss_average in steps.csv, or the evaluations",
        "the training loss in evals.csv falls without the noise",
        Picture((curve("loss", run.step, loss), curve("median", run.step, middle)), "loss"),
    )
