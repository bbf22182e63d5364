"""The norm of the gradient: spikes, and steady growth."""

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import Series, block_means, curve, rank_trend, spread
from sgdlab.diagnosis.words import number, percent, times
from sgdlab.terminal.plot import Mark

SPIKE = 4.0
"""A spike is four times the medians of the steps before and after it, ..."""

OUTLYING = 3.5
"""... and as many spreads of the logarithm away: norms of small batches vary by themselves."""

SIDE = 15
"""Steps before and after that are compared."""

HEAVY = 0.2
"""Share of all squared gradient that spikes must hold to matter."""

GROWTH = 3.0
"""Growth from the second tenth of the run to the last that is not an accident of the batches."""

LEAST = 30
"""Steps below which there is no trend to speak of."""


def spikes(run: RunRecord) -> Finding | None:
    """Return the finding that single gradients are many times as large as their neighbours."""
    norm, step = _finite(run)
    if len(norm) < LEAST:
        return None
    usual = _usual(norm)
    ratio = np.log(norm / usual)
    found = np.flatnonzero(ratio > max(np.log(SPIKE), OUTLYING * spread(ratio)))
    weight = float((norm[found] ** 2).sum() / (norm**2).sum())
    if len(found) < 2 or weight < HEAVY:
        return None
    worst = int(found[ratio[found].argmax()])
    clip = rounded(float(np.median(norm)) * 2)
    return Finding(
        "gradient_spikes",
        "warning",
        "The gradient norm spikes",
        [
            f"{len(found)} of {len(norm):,} steps have over {SPIKE:g} times the norm around them",
            f"worst at step {int(step[worst]):,}: {number(norm[worst])}, "
            f"{times(norm[worst] / usual[worst])} the usual {number(usual[worst])}",
            f"the spikes hold {percent(weight)} of all squared gradient",
        ],
        "single examples with wild inputs or targets, or a rate at the edge of stability",
        improved(run, {"clip_norm": clip}),
        "with clipping the loss falls without jumps; look at the examples of those batches",
        Picture(
            (curve("gradient norm", step, norm),),
            "norm",
            marks=(Mark("worst", float(step[worst]), float(norm[worst])),),
            log_y=True,
        ),
    )


def _usual(norm: Series) -> Series:
    """Return the larger of the medians before and after each step: a decay is no spike.

    The first steps have nothing before them and are their own measure.
    """
    windows = np.lib.stride_tricks.sliding_window_view(norm, SIDE)
    medians = np.concatenate(
        [np.median(windows[at : at + 4096], axis=1) for at in range(0, len(windows), 4096)]
    )
    before, after = np.zeros(len(norm)), np.zeros(len(norm))
    before[SIDE:] = medians[: len(norm) - SIDE]
    after[: len(norm) - SIDE] = medians[1:]
    usual = np.maximum(before, after)
    usual[:SIDE] = np.maximum(norm[:SIDE], usual[:SIDE])
    return usual


def grows(run: RunRecord) -> Finding | None:
    """Return the finding that the gradient norm grows through the whole run.

    A norm that rises while the loss falls towards zero is no alarm: leaving the flat start of a
    deep network looks like that.
    """
    norm, step = _finite(run)
    if len(norm) < LEAST:
        return None
    logs = block_means(np.log(norm), 10)
    growth = float(np.exp(logs[-1] - logs[1]))
    late = float(logs[-1] - logs[len(logs) // 2])
    if growth < GROWTH or rank_trend(logs) < 0.8 or late < np.log(1.3) or logs[-1] < logs.max():
        return None
    losses = run.loss[np.isfinite(run.loss)]
    level = block_means(losses, 10)
    falls = level[-1] <= level.min() + 0.02 * run.scale
    unbounded = bool(level[-1] < 0 and falls)
    if falls and not unbounded:
        return None
    cause = (
        "the loss is below 0 and falls with every growth of the weights: it may have no lower bound"
        if unbounded
        else "the iterates run away slowly: the rate is just above the limit of stability"
    )
    changes: dict[str, object] = (
        {"optimizer.weight_decay": 0.1 if run.traits.adaptive else 0.01}
        if unbounded
        else {"lr": rounded(float(run.config["lr"]) / 2)}
    )
    return Finding(
        "gradient_grows",
        "warning",
        "The gradient norm grows steadily",
        [
            f"{times(growth)} from the second tenth of the run ({number(np.exp(logs[1]))}) "
            f"to the last ({number(np.exp(logs[-1]))})",
            f"loss {number(level[1])} then, {number(level[-1])} at the end",
        ],
        cause,
        improved(run, changes),
        "the norm falls in the second half of the run",
        Picture((curve("gradient norm", step, norm),), "norm", log_y=True),
    )


def _finite(run: RunRecord) -> tuple[np.ndarray, np.ndarray]:
    """Return the norms that are positive and finite, and their steps."""
    good = np.isfinite(run.grad_norm) & (run.grad_norm > 0)
    return run.grad_norm[good], run.step[good]
