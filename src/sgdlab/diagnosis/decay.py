"""Weight decay on the wrong parameters, or too much of it."""

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.pace import pace_of
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import curve
from sgdlab.diagnosis.words import number

USUAL = {"coupled": 1e-3, "decoupled": 0.1}
"""The largest weight decays in common use: 5e-4 of SGD on images, 0.1 of AdamW on language."""

TOO_MUCH = 10.0
"""Times the usual from which a stalled run is blamed on the decay."""

HIGH = 0.25
"""Training loss at the end, as a share of the start, that is not explained by convergence."""

LATE = 0.1
"""Share of the fall in the last quarter of the run, above which the loss does not stand."""

GAP = 0.1
"""Distance of validation from training loss, as a share: without one nothing is overfitted that a
decay would have to prevent."""


def decayed_bias(run: RunRecord) -> Finding | None:
    """Return the finding that biases and normalisation parameters are decayed, too."""
    decay = _decay(run)
    if run.setting("decay.bias_and_norm") is not True or not decay or run.is_problem:
        return None
    summary = run.summary or {}
    evidence = [f"decay.bias_and_norm=true with weight decay {number(decay)}"]
    if summary.get("num_decayed") and summary.get("num_decayed") == summary.get("num_parameters"):
        evidence.append(f"all {summary['num_parameters']:,} parameters are decayed")
    return Finding(
        "decayed_bias",
        "warning",
        "Weight decay applies to biases and normalisation parameters",
        evidence,
        "one weight decay for all parameters, as optimizers have it unless they are given groups",
        improved(run, {"decay.bias_and_norm": False}),
        "the same or a better validation loss over a few seeds; scales and biases do not overfit, "
        "and shrinking them limits what the layers can say",
    )


def strong_decay(run: RunRecord) -> Finding | None:
    """Return the finding that a high decay holds training up."""
    decay, pace, usual = _decay(run), pace_of(run), USUAL.get(_kind(run) or "unknown")
    if usual is None or pace is None or decay < TOO_MUCH * usual or run.is_problem:
        return None
    x, y = run.progress
    end = float(y[-1])
    late = float(np.interp(0.75 * x[-1], x, y)) - end
    if end < HIGH * run.scale or late > LATE * abs(run.start - end):
        return None
    val = run.val.loss
    gap = (float(val[-1]) - end) / abs(end) if len(val) and end else 0.0
    if gap > GAP:
        return None
    evidence = [
        f"weight decay {number(decay)}, {number(decay / usual, 2)} times what is usual with "
        f"{run.optimizer}",
        f"training loss {number(run.start)} at the start, {number(end)} at the end",
    ]
    if len(val):
        evidence.append(f"validation loss {number(val[-1])}: nothing is overfitted")
    norms = run.steps.get("weight_norm")
    if norms is not None and (known := norms[np.isfinite(norms)]).size > 1:
        evidence.append(
            f"norm of the weights {number(known[0])} at first, {number(known[-1])} at last"
        )
    return Finding(
        "strong_decay",
        "warning",
        "Weight decay holds training up",
        evidence,
        "the decay pulls the weights back as fast as the gradient drives them",
        improved(run, {"optimizer.weight_decay": rounded(decay / 100)}),
        f"the training loss falls below {number(end)}, and validation follows",
        Picture((curve("training loss", x, y),), "loss"),
        explains=("plateau", "slow", "oscillates", "still_improving"),
    )


def _decay(run: RunRecord) -> float:
    value = run.setting("optimizer.weight_decay")
    return float(value) if isinstance(value, int | float) else 0.0


def unchecked_decay(run: RunRecord) -> str | None:
    """Return why it is not known what decay is usual; None where it is, or where none acts."""
    if not _decay(run) or (kind := _kind(run)) in (*USUAL, "none"):
        return None
    if kind == "own":
        return f"{run.optimizer} applies its decay in a way of its own: no value is usual"
    return f"how {run.optimizer} applies its decay is not known: _traits_ in its YAML says it"


def _kind(run: RunRecord) -> str | None:
    """Return how the decay acts: coupled, decoupled or another way; None where it is not known."""
    mode = run.setting("decay.mode")
    return "decoupled" if mode == "independent" else mode or run.traits.decay
