"""What one sample of units says: centre, spread, extremes and two intervals of the mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sgdlab.analysis.statistics.bootstrap import bca_of_mean
from sgdlab.analysis.statistics.interval import half_width, is_constant
from sgdlab.analysis.statistics.levels import NAN


@dataclass(frozen=True)
class Description:
    """What a sample says: what cannot be said of so few values is NaN.

    ``ci_low`` and ``ci_high`` are the t interval of the mean, ``bca_low`` and ``bca_high`` the BCa
    bootstrap interval; ``sd`` has the divisor n − 1.
    """

    n: int
    mean: float = NAN
    median: float = NAN
    sd: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN
    bca_low: float = NAN
    bca_high: float = NAN
    smallest: float = NAN
    largest: float = NAN


def describe(
    values: Sequence[float],
    bounds: tuple[float, float] = (-math.inf, math.inf),
    overlap: float = 0.0,
) -> Description:
    """Return the mean, its 95 % t and BCa bootstrap intervals, median, sd, smallest and largest.

    Values that are not finite were not measured, and do not count. Equal values have no interval:
    one of no width would claim a certainty that they do not give.

    Which of the two to quote depends on n and on the errors. Of 10,000 synthetic samples of 3, 5
    and 10 units the intervals covered the true mean in this percentage, where 95 is meant:

        ============================  ============  ============
        errors                        t             BCa
        ============================  ============  ============
        normal                        95 / 95 / 95  73 / 84 / 91
        heavy tails (t, 3 d.f.)       96 / 96 / 96  71 / 81 / 86
        accuracy of 97 % on 360       95 / 95 / 95  72 / 84 / 90
        exponential                   88 / 87 / 90  68 / 80 / 88
        lognormal (sigma 1)           84 / 82 / 84  62 / 74 / 83
        ============================  ============  ============

    So BCa is too narrow below some thirty units (93 of normal ones at 30), the t interval is the
    one to quote, and of strongly skewed values neither holds. `paired.paired_t` is less exposed:
    a skew that two optimizers share cancels in their differences.

    Args:
        values: The sample.
        bounds: What values can be at least and at most; intervals end there, which costs no
            coverage, since the mean cannot lie beyond.
        overlap: Of units with a split each of the same data ``n_test / n_train``: the t interval is
            Nadeau and Bengio's, as in `sgdlab.analysis.statistics.paired_t`, and there is no BCa.
    """
    sample = np.asarray([value for value in values if math.isfinite(value)], dtype=float)
    n = len(sample)
    if n == 0:
        return Description(0)
    mean, median = float(np.mean(sample)), float(np.median(sample))
    smallest, largest = float(sample.min()), float(sample.max())
    if n == 1:
        return Description(1, mean, median, smallest=smallest, largest=largest)
    if is_constant(sample):
        return Description(n, mean, median, 0.0, smallest=smallest, largest=largest)
    sd = float(np.std(sample, ddof=1))
    half = math.sqrt(1 + n * overlap) * half_width(n, sd)
    bca = (NAN, NAN) if overlap else bca_of_mean(sample)
    ends = np.clip([mean - half, mean + half, *bca], *bounds)
    low, high, bca_low, bca_high = map(float, ends)
    return Description(n, mean, median, sd, low, high, bca_low, bca_high, smallest, largest)
