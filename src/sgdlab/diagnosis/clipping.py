"""Clipping that is active on most steps."""

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import curve
from sgdlab.diagnosis.words import number, percent
from sgdlab.terminal.plot import PlotLine

MOST = 0.5
"""Share of steps from which clipping is the rule. Against outliers it acts on a few percent; large
language models clip up to half of their early steps."""

HARD = 0.5
"""Median factor of clipped steps; above, clipping hardly changes the step."""


def clipping(run: RunRecord) -> Finding | None:
    """Return the finding that most steps are clipped."""
    factor = run.steps["clip_coef"]
    clip = run.config.get("clip_norm")
    known = factor[np.isfinite(factor) & (factor > 0)]  # 0: left out, as fp16 does
    if not clip or len(known) < 10:
        return None
    clipped = known < 1
    share = float(clipped.mean())
    if share < MOST:
        return None
    typical = float(np.median(known[clipped]))
    norm = run.grad_norm[np.isfinite(run.grad_norm)]
    usual = float(np.median(norm))
    level = [float(clip)] * 2
    ends = [float(run.step[0]), float(run.step[-1])]
    return Finding(
        "clipping",
        "warning" if typical < HARD else "note",
        "Clipping is active on most steps",
        [
            f"{percent(share)} of {len(known):,} steps are clipped, in the median to "
            f"{percent(typical)} of their gradient",
            f"gradient norm {number(usual)} in the median, clip_norm {number(clip)}",
        ],
        _cause(run, float(clip)),
        improved(run, {"clip_norm": rounded(float(np.quantile(norm, 0.95)))}),
        "clipping acts on about one step in twenty; if the loss then jumps, it was lr that was too "
        "high, and the clip hid it",
        Picture(
            (curve("gradient norm", run.step, run.grad_norm), PlotLine("clip_norm", ends, level)),
            "norm",
            log_y=True,
        ),
        explains=("slow", "still_improving"),
    )


def _cause(run: RunRecord, clip: float) -> str:
    """Return what clipping at most steps means for the kind of optimizer."""
    if run.traits.adaptive:
        return (
            f"clip_norm={clip:g} is far below the usual norm; {run.optimizer} divides by the size "
            "of its gradients, so that only their weights relative to each other change"
        )
    if run.traits.adaptive is None:
        return f"clip_norm={clip:g} is below the usual norm: most gradients lose their length"
    return (
        f"clip_norm={clip:g} is below the usual norm: the step is lr times the clip, and lr "
        "alone no longer says how far it goes"
    )
