"""Training improves while validation does not."""

import numpy as np

from sgdlab.diagnosis.command import improved
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import curve, noise_of
from sgdlab.diagnosis.words import number, percent
from sgdlab.terminal.plot import Mark

RISEN = 0.15
"""Rise of the validation loss above its lowest: a confident network raises it by some percent
while its accuracy still improves."""

FALLEN = 0.2
"""Fall of the training loss meanwhile; without one, the run became worse as a whole."""

STALLED = 0.5
"""Validation loss, as a share of its start, above which little was learned that holds ..."""

APART = 5.0
"""... while the training loss is lower by this factor."""

NOISE = 3.0
"""Rises within this many times the noise from one evaluation to the next are none."""


def overfits(run: RunRecord) -> Finding | None:
    """Return the finding that validation becomes worse while training improves."""
    train, val = run.train, run.val
    if run.is_problem or len(val.loss) < 4 or len(train.loss) != len(val.loss):
        return None
    if not (np.isfinite(val.loss).all() and np.isfinite(train.loss).all()):
        return None
    best = int(val.loss.argmin())
    last = len(val.loss) - 1
    end = float(np.median(val.loss[-3:])) if last - best >= 3 else float(val.loss[-1])
    low = float(val.loss[best])
    then, now = float(train.loss[best]), float(train.loss[-1])
    rise = (end - low) / max(abs(low), 1e-12)
    fall = (then - now) / max(abs(then), 1e-12)
    beyond_noise = end - low > NOISE * noise_of(val.loss[max(0, best - 3) :])
    visible = end - low > 0.01 * run.scale
    worsens = rise >= RISEN and fall >= FALLEN and beyond_noise and visible
    stalls = (
        not run.starts_trained and end > STALLED * float(val.loss[0]) > 0 and 0 <= APART * now < end
    )
    if not (worsens or stalls):
        return None
    share = float(val.step[best] / val.step[-1])
    epochs = max(1, round(share * int(run.config["epochs"])))
    decay = run.setting("optimizer.weight_decay")
    changes: dict[str, object] = {}
    if isinstance(decay, int | float):
        changes["optimizer.weight_decay"] = _stronger(float(decay), bool(run.traits.adaptive))
    if run.setting("model.dropout") == 0:
        changes["model.dropout"] = 0.2
    return Finding(
        "overfits",
        "problem" if rise >= 0.5 else "warning",
        f"Training improves while validation {'becomes worse' if worsens else 'stalls'}",
        [
            f"validation loss lowest at step {int(val.step[best]):,}, after {percent(share)} of "
            f"the run: {number(low)}; at the end {number(end)}, {percent(rise)} above it",
            f"training loss {number(then)} then, {number(now)} at the end",
            f"validation {run.metric} {number(val.metric[best])} then, "
            f"{number(val.metric[-1])} at the end",
        ],
        "the model learns its training examples by heart"
        + (
            "; validation hardly improves at any time: wrong labels, or splits that differ?"
            if low > 0.9 * float(val.loss[0]) > 0
            else ""
        ),
        improved(run, changes or {"epochs": epochs}),
        f"validation stays near {number(low)}; fewer epochs (epochs={epochs}) show what stopping "
        "early gives, more data or augmentation what is missing",
        Picture(
            (curve("train", train.step, train.loss), curve("val", val.step, val.loss)),
            "loss",
            marks=(Mark("best", float(val.step[best]), low),),
            log_y=bool(min(train.loss.min(), val.loss.min()) > 0),
        ),
    )


def _stronger(decay: float, adaptive: bool) -> float:
    """Return ten times the decay, or a usual one where there is none."""
    return min(10 * decay, 1.0) if decay > 0 else (0.1 if adaptive else 1e-3)
