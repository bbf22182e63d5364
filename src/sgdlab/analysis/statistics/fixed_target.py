# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Claims to reach a fixed target, as public speed runs make them: z-test and t-test of a mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import ndtr, stdtr

from sgdlab.analysis.statistics.adjusted import holm
from sgdlab.analysis.statistics.anytime import anytime_p, anytime_z
from sgdlab.analysis.statistics.attempts import expected_maximum, of_attempts
from sgdlab.analysis.statistics.interval import is_constant
from sgdlab.analysis.statistics.levels import ALPHA, NAN, UNDECIDED

HOLDS, REFUTED = "holds", "refuted"
"""Verdicts on a claim, beside `UNDECIDED`."""


@dataclass(frozen=True)
class TargetClaim:
    """What is known of one claim to reach the target.

    Attributes:
        name: Who claims it.
        n: Its runs.
        mean: Their mean.
        best: The best of them.
        sd: The standard deviation of a run: the one stated, or that of these runs.
        ahead: By how much the mean is better than the target; negative where it is worse.
        statistic: ``ahead · √n / sd``, less where splits overlap.
        p: The chance of such a statistic where the true mean is just the target: one-sided.
        p_adjusted: Holm's over all claims, and corrected for the attempts.
        error: The standard error of the mean.
        by_chance: By how much the best of the attempts would be ahead of a target that all of them
            just reach; NaN for one attempt.
        verdict: ``holds``, ``refuted`` (the mean is significantly worse) or ``undecided``.
        note: Why there is no p-value, or that the best run alone reaches the target.
    """

    name: str
    n: int
    mean: float = NAN
    best: float = NAN
    sd: float = NAN
    ahead: float = NAN
    statistic: float = NAN
    p: float = NAN
    p_adjusted: float = NAN
    error: float = NAN
    by_chance: float = NAN
    verdict: str = UNDECIDED
    note: str = ""


def target_claims(
    samples: Sequence[tuple[str, Mapping[float, float]]],
    target: float,
    *,
    maximise: bool,
    sigma: float | None = None,
    attempts: int = 1,
    anytime: bool = False,
    overlap: float = 0.0,
) -> list[TargetClaim]:
    """Test for each of several samples that its true mean is better than a target.

    With ``d = target − x̄`` (``x̄ − target`` where more is better): ``z = d √n / σ`` for a known σ,
    as the rules of public speed runs have it, and ``t = d √n / s`` with n − 1 degrees of freedom
    for an estimated one. p-values are one-sided, adjusted by Holm over all claims, then for the
    attempts (`sgdlab.analysis.statistics.attempts`). A claim holds where that is below `ALPHA`; it
    is refuted where the mean is worse by a test of the same level on the other side.

    Runs with a split each of the same data are not independent: the standard error of their mean
    then is ``√(1 + n · n_test / n_train)`` times as wide (Nadeau and Bengio 2003, see
    `sgdlab.analysis.statistics.paired_t`), for a known σ, too.

    Args:
        samples: The name and the values by unit of each.
        target: What has to be reached.
        maximise: Whether larger is better.
        sigma: The known standard deviation of a run; None: it is estimated.
        attempts: Of how many attempts each claim is the best.
        anytime: Whether p-values hold however often one looks
            (`sgdlab.analysis.statistics.anytime`).
        overlap: ``n_test / n_train`` of runs with a split each; 0: they are independent.

    Raises:
        ValueError: ``sigma`` is not a positive number.
    """
    if sigma is not None and not 0 < sigma < math.inf:
        raise ValueError(f"sigma={sigma}: must be a positive number")
    p_of = partial(_one_sided, known=sigma is not None, anytime=anytime)
    found = [_claim(name, by_unit, target, maximise, sigma, overlap) for name, by_unit in samples]
    found = [replace(claim, p=p_of(claim.statistic, claim.n)) for claim in found]
    better = holm([claim.p for claim in found])
    worse = holm([p_of(-claim.statistic, claim.n) for claim in found])
    return [
        _judged(claim, of_attempts(p, attempts), q, attempts)
        for claim, p, q in zip(found, better, worse, strict=True)
    ]


def _claim(
    name: str,
    by_unit: Mapping[float, float],
    target: float,
    maximise: bool,
    sigma: float | None,
    overlap: float,
) -> TargetClaim:
    values = np.asarray([v for v in by_unit.values() if math.isfinite(v)], dtype=float)
    n = len(values)
    if n == 0:
        return TargetClaim(name, 0, note="no run was completed")
    sign = 1.0 if maximise else -1.0
    mean, best = float(np.mean(values)), float(sign * (sign * values).max())
    ahead = sign * (mean - target)
    sd = NAN if n == 1 or is_constant(values) else float(np.std(values, ddof=1))
    if sigma is None and math.isnan(sd):
        why = "one run" if n == 1 else "equal runs"
        note = f"{why}: the spread is not known; --sigma states it"
        return TargetClaim(name, n, mean, best, sd, ahead, note=note)
    spread = sd if sigma is None else sigma
    error = spread * math.sqrt(1 / n + overlap)
    return TargetClaim(name, n, mean, best, spread, ahead, ahead / error, error=error)


def _one_sided(statistic: float, n: int, *, known: bool, anytime: bool) -> float:
    """Return the p-value of a mean that is not ahead; NaN without a statistic.

    That of a mixture over both sides is one for either, if a conservative one.
    """
    if math.isnan(statistic):
        return NAN
    if anytime:
        both = anytime_z(statistic, n) if known else anytime_p(statistic, n)
        return both if statistic > 0 else 1.0
    return float(ndtr(-statistic)) if known else float(stdtr(n - 1, -statistic))


def _judged(claim: TargetClaim, better: float, worse: float, attempts: int) -> TargetClaim:
    verdict = HOLDS if better < ALPHA else REFUTED if worse < ALPHA else UNDECIDED
    chance = NAN
    if attempts > 1 and claim.n:
        chance = expected_maximum(attempts) * claim.error
    return replace(claim, p_adjusted=better, by_chance=chance, verdict=verdict)
