"""All detectors, in the order in which their findings matter."""

from collections.abc import Callable, Sequence

from sgdlab.diagnosis import (
    batch,
    blow_up,
    clipping,
    decay,
    ending,
    generalisation,
    gradient,
    layers,
    oscillation,
    pace,
    plateau,
    schedule,
)
from sgdlab.diagnosis.finding import SEVERITIES, Diagnosis, Finding
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.siblings import Siblings

DETECTORS: tuple[Callable[[RunRecord], Finding | None], ...] = (
    blow_up.not_finite,
    blow_up.explodes,
    layers.dead_units,
    layers.vanishing,
    plateau.plateau,
    schedule.warmup,
    decay.strong_decay,
    gradient.grows,
    gradient.spikes,
    oscillation.oscillates,
    generalisation.overfits,
    clipping.clipping,
    pace.slow,
    schedule.ends_early,
    schedule.ends_late,
    decay.decayed_bias,
    batch.above_critical,
    ending.still_improving,
    schedule.fixed_rate,
    oscillation.noisy_but_falling,
)


def judge(run: RunRecord, siblings: Sequence[Siblings] = ()) -> Diagnosis:
    """Return what a run shows, beside others of which it may be the sibling."""
    found = [finding for detector in DETECTORS if (finding := detector(run)) is not None]
    if (beside := batch.without_rate(run, siblings)) is not None:
        found.append(beside)
    explained: set[str] = set()
    for finding in found:  # what is explained explains nothing itself
        if finding.is_alarm and finding.symptom not in explained:
            explained |= set(finding.explains)
    kept = [f for f in found if f.symptom not in explained]
    kept.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Diagnosis(kept, _unchecked(run))


def _unchecked(run: RunRecord) -> list[tuple[str, str]]:
    """Return the symptoms that the columns of a run cannot show."""
    missing: list[tuple[str, str]] = []
    if len(layers.layers_of(run)) == 0:
        missing.append(("vanishing_gradient", "not measured: diagnostics=business"))
    if "dead_units" not in run.steps:
        missing.append(("dead_units", "not measured: diagnostics=business"))
    if "noise_scale" not in run.steps:
        missing.append(("above_critical_batch", "not measured: diagnostics=full"))
    if not run.is_problem and len(run.val.loss) < 4:
        missing.append(("overfits", "fewer than 4 evaluations"))
    if (reason := decay.unchecked_decay(run)) is not None:
        missing.append(("strong_decay", reason))
    return missing
