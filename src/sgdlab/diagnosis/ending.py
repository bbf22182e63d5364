"""Runs that end while they still improve."""

import numpy as np

from sgdlab.diagnosis.command import improved
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.pace import pace_of, travelled
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import curve
from sgdlab.diagnosis.words import number, percent

LAST = 0.75
"""Where the last part of the way begins. The way is the sum of the rates, so that a rate that ends
near 0 does not make a run look finished."""

SHARE = 0.1
"""Share of the whole fall that falls into the last part: of a straight line 0.25, of an exponential
approach that is still 13 % of its way from the goal 0.1."""

LEAST_FALL = 0.02
"""A fall below this share of the start is not told from none."""


def still_improving(run: RunRecord) -> Finding | None:
    """Return the finding that the loss was still falling when the run ended."""
    pace = pace_of(run)
    if not run.is_complete or pace is None:
        return None
    val = run.val
    use_val = not run.is_problem and len(val.loss) >= 3 and bool(np.isfinite(val.loss).all())
    x, y = (val.step, val.loss) if use_val else run.progress
    name = "validation" if use_val else "training"
    whole = float(y[0] - y[-1])
    last = float(np.interp(LAST, travelled(run, x), y)) - float(y[-1])
    if whole < LEAST_FALL * run.scale or last < SHARE * whole:
        return None
    if y[-1] > y.min() + 0.1 * last:
        return None
    longer: dict[str, object] = {"epochs": 2 * int(run.config["epochs"])}
    if run.config.get("max_steps"):
        longer = {"max_steps": 2 * int(run.config["max_steps"])}
    return Finding(
        "still_improving",
        "warning",
        "The run ends while it still improves",
        [
            f"{name} loss {number(y[0])} at the start, {number(y[-1])} at the end",
            f"{percent(last / whole)} of that fall came in the last quarter of the way",
        ],
        "the run is too short, or the rate a little low",
        improved(run, longer),
        f"{name} ends below {number(y[-1])}, and the last quarter brings little",
        Picture((curve(name, x, y),), "loss"),
    )
