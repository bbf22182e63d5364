"""What SciPy says of pairs, with the widened error of a comparison: oracles of its tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


def widening(n: int) -> float:
    """1 + min(0.13, 1 / n), as docs/comparisons.md has it."""
    return 1 + min(0.13, 1 / n)


@dataclass(frozen=True)
class Guarded:
    """SciPy's paired t-test with a standard error that is so many times as wide."""

    mean: float
    t: float
    p: float
    low: float
    high: float


def guarded(first: Sequence[float], second: Sequence[float]) -> Guarded:
    found, n = stats.ttest_rel(first, second), len(first)
    mean = float(np.mean(np.subtract(first, second)))
    t = float(found.statistic) / widening(n)
    plain = found.confidence_interval(0.95)
    half = (plain.high - plain.low) / 2 * widening(n)
    return Guarded(mean, t, float(2 * stats.t.sf(abs(t), n - 1)), mean - half, mean + half)


def guarded_power(effect: float, n: int, level: float) -> float:
    """The power of the test by SciPy's noncentral t."""
    critical = stats.t.isf(level / 2, n - 1) * widening(n)
    shift = abs(effect) * np.sqrt(n)
    return float(stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift))


def guarded_within(first: Sequence[float], second: Sequence[float], margin: float) -> float:
    """The p-value of two one-sided tests of a difference within a margin."""
    d = np.subtract(first, second)
    error = d.std(ddof=1) / np.sqrt(len(d)) * widening(len(d))
    tests = (stats.t.sf((d.mean() + margin) / error, len(d) - 1),
             stats.t.cdf((d.mean() - margin) / error, len(d) - 1))  # fmt: skip
    return float(max(tests))
