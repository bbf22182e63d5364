"""The batch: changed without the rate, or larger than the gradient's noise justifies."""

from collections.abc import Sequence

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import curve
from sgdlab.diagnosis.siblings import Siblings, rate_of
from sgdlab.diagnosis.words import number, percent, times

WORSE = 0.05
"""By how much the training loss at the end is above the sibling's, as a share of the start, to say
that it costs something."""

CRITICAL = 2.0
"""Times the noise scale from which a batch is called too large. At 1 a step is worth half of what
the exact gradient's would be; the measurement itself is off by up to a factor of 2."""

_RULES = {
    True: "the root of the factor for adaptive methods",
    False: "the same factor",
    None: "the same factor (its root, if the optimizer is adaptive)",
}
"""How the rate follows the batch, by the optimizer's trait ``adaptive``."""


def without_rate(run: RunRecord, siblings: Sequence[Siblings]) -> Finding | None:
    """Return the finding that a sibling has a smaller batch, the same rate, and all else alike."""
    batch = run.effective_batch
    if not batch or not len(run.lr) or run.is_problem:
        return None
    # Where this batch was tried with several rates, they were not forgotten.
    if any(known.have_other_rate(run) for known in siblings):
        return None
    smaller = [other for known in siblings if (other := known.smaller(run)) is not None]
    if not smaller:
        return None
    other = max(smaller, key=lambda o: o.effective_batch or 0)
    factor = batch / (other.effective_batch or batch)
    ends = [float(r.progress[1][-1]) for r in (run, other)]
    costs = np.isfinite(ends[0]) and ends[0] > ends[1] + WORSE * run.scale
    power = 0.5 if run.traits.adaptive else 1.0
    lr = rounded(float(run.config["lr"]) * factor**power)
    rule = _RULES[run.traits.adaptive]
    return Finding(
        "batch_without_lr",
        "warning" if costs else "note",
        "The batch was changed, the learning rate was not",
        [
            f"batch {batch:,} here, {other.effective_batch:,} in {other.directory.as_posix()}; "
            f"lr {number(rate_of(run))} in both",
            f"training loss at the end {number(ends[0])} here, {number(ends[1])} there",
        ],
        f"{times(factor)} the batch makes {number(factor)} times fewer steps of the same length",
        improved(run, {"lr": lr}),
        f"with lr times {rule} the loss ends near {number(ends[1])}; add a warm-up, since the "
        "first steps bear a high rate worst",
        Picture(
            (curve("here", *_by_examples(run)), curve("sibling", *_by_examples(other))),
            "training loss",
            x_label="examples",
        ),
        explains=("slow", "still_improving"),
    )


def _by_examples(run: RunRecord) -> tuple[np.ndarray, np.ndarray]:
    steps, loss = run.progress
    return steps * float(run.effective_batch or 1), loss


def above_critical(run: RunRecord) -> Finding | None:
    """Return the finding that the batch exceeds the measured critical one."""
    scale = run.steps.get("noise_scale")
    batch = run.effective_batch
    if scale is None or not batch:
        return None
    measured = np.isfinite(run.steps.get("noise_trace", scale))
    good = np.isfinite(scale) & (scale > 0)
    # Where it was measured and came out as no number, there was too much noise to tell.
    known = np.where(good, scale, np.inf)[measured | good]
    if len(known) < 3:
        return None
    critical = float(np.median(known))
    if batch <= critical:
        return None
    smaller = max(1, 2 ** round(np.log2(max(critical, 1))))
    power = 0.5 if run.traits.adaptive else 1.0
    workers = int(run.setting("local_sgd.workers") or 1)
    workers *= int(run.setting("distributed.world_size") or 1)
    changes: dict[str, object] = {"batch_size": max(1, smaller // workers)}
    if run.name("scaling") == "none":  # otherwise the rule follows the batch
        changes["lr"] = rounded(float(run.config["lr"]) * (smaller / batch) ** power)
    if run.config.get("accumulate", 1) != 1:
        changes["accumulate"] = 1
    return Finding(
        "above_critical_batch",
        "warning" if batch >= CRITICAL * critical else "note",
        "The batch exceeds the critical batch size",
        [
            f"effective batch {batch:,}; noise scale {number(critical)} examples in the median of "
            f"{len(known)} measurements",
            f"a step is worth {percent(1 / (1 + critical / batch))} of one with the exact gradient",
            f"it costs {times(batch / critical)} the examples of the critical batch",
        ],
        "the gradient's noise is small already: more examples hardly make the step better",
        improved(run, changes),
        "the same loss after as many steps, with a fraction of the examples",
        Picture((curve("noise scale", run.step[good], scale[good]),), "examples", log_y=True),
    )
