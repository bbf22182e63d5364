# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Means, intervals, paired tests and censored medians. One unit is one run (one seed)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # scipy.stats takes a second to import

LEVEL = 0.95
"""Of every interval."""

ALPHA = 0.05
"""Family-wise error rate of the verdicts of a workload."""

NAN = math.nan


@dataclass(frozen=True)
class Description:
    """What a sample says: what cannot be said of so few values is NaN."""

    n: int
    mean: float = NAN
    median: float = NAN
    sd: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN


def describe(values: Sequence[float]) -> Description:
    """Return mean, median, standard deviation (n − 1) and the 95 % t interval of the mean.

    Values that are not finite were not measured, and do not count. Equal values have no interval:
    one of no width would claim a certainty that they do not give.
    """
    sample = np.asarray([value for value in values if math.isfinite(value)], dtype=float)
    n = len(sample)
    if n == 0:
        return Description(0)
    mean, median = float(np.mean(sample)), float(np.median(sample))
    if n == 1:
        return Description(1, mean, median)
    if _constant(sample):
        return Description(n, mean, median, 0.0)
    sd = float(np.std(sample, ddof=1))
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * sd / math.sqrt(n)
    return Description(n, mean, median, sd, mean - half, mean + half)


@dataclass(frozen=True)
class PairedTest:
    """A paired t-test of ``first − second``; ``note`` says why there is no p-value."""

    n: int
    mean: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN
    p: float = NAN
    note: str = ""


def paired_t(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Test whether the mean of ``first − second``, paired by position, is zero.

    Without a spread there is no test: equal pairs give p = 1, and pairs that all differ by the
    same amount give no p-value, since their spread cannot be estimated from them.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    delta = a - b
    n = len(delta)
    if n == 0:
        return PairedTest(0, note="no seed was completed by both")
    mean = float(np.mean(delta))
    if n == 1:
        return PairedTest(1, mean, note="one pair: the spread cannot be estimated")
    scale = float(max(np.abs(a).max(), np.abs(b).max()))
    # Differences of rounded numbers: what is below rounding is no spread.
    rounding = 8 * np.finfo(float).eps * scale
    if float(np.ptp(delta)) <= rounding:
        if abs(mean) <= rounding:
            return PairedTest(n, 0.0, p=1.0, note="equal for every seed")
        return PairedTest(n, mean, note="the same difference for every seed: no spread to test")
    error = float(np.std(delta, ddof=1)) / math.sqrt(n)
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * error
    p = 2 * float(stdtr(n - 1, -abs(mean) / error))
    return PairedTest(n, mean, mean - half, mean + half, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values; a pair without one (NaN) counts as a test, and stays NaN."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(np.where(np.isnan(p), np.inf, p), kind="stable")
    adjusted = np.full(len(p), NAN)
    largest = 0.0
    for rank, index in enumerate(order):
        if math.isnan(p[index]):
            break
        largest = max(largest, min(1.0, (len(p) - rank) * float(p[index])))
        adjusted[index] = largest
    return [float(value) for value in adjusted]


def censored_median(times: Sequence[float]) -> float:
    """Return the median of times, those never reached being +inf: inf when it is not reached.

    With an even number the median is reached only when both middle values are.
    """
    if len(times) == 0:
        return math.inf
    ordered = sorted(times)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[middle])
    return (ordered[middle - 1] + ordered[middle]) / 2


def _constant(sample: np.ndarray) -> bool:
    return float(np.ptp(sample)) <= 8 * np.finfo(float).eps * float(np.abs(sample).max())
