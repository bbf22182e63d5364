# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Wilcoxon's signed-rank test, exact with ties, too."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

EXACT = 100
"""Up to so many differences that are not zero the p-value is exact."""


def smallest_signed_rank(n: int) -> float:
    """Return the smallest p-value that ``n`` pairs can give: ``2 / 2^n``, .0625 at 5, .002 at 10.

    It is reached when all differences have the same sign. Where it exceeds ``ALPHA`` divided by
    the number of pairs, no difference however large can be significant after Holm's adjustment:
    at n = 5 not even a single pair, at n = 10 none among 26 pairs (8 optimizers make 28).
    """
    return min(1.0, 2.0 ** (1 - n)) if n else math.nan


def signed_rank(differences: NDArray[np.float64], rounding: float = 0.0) -> float:
    """Return the two-sided p-value of the signed-rank test (Wilcoxon 1945).

    Differences of zero are left out, equal ones share the mean of their ranks, and the p-value is
    that of the 2^n equally likely assignments of signs to the ranks at hand: exact with ties,
    where SciPy's ``method="exact"`` is not. Above 100 differences it is the normal approximation
    with the variance of those ranks and without correction for continuity. All zero gives 1.

    It tests symmetry about zero, not the mean alone, and cannot go below `smallest_signed_rank`.

    Args:
        differences: The difference of each pair.
        rounding: Magnitudes closer than this count as equal, and smaller ones as zero.
    """
    kept = differences[np.abs(differences) > rounding]
    n = len(kept)
    if n == 0:
        return 1.0
    doubled = _doubled_ranks(np.abs(kept), rounding)
    above = int(doubled[kept > 0].sum())
    if n > EXACT:
        # Ranks are doubled, hence the standard deviation of their signed half-sum.
        deviation = above - doubled.sum() / 2
        return float(2 * ndtr(-abs(deviation) / (math.sqrt(float((doubled**2).sum())) / 2)))
    at_most = _at_most(tuple(int(rank) for rank in np.sort(doubled)))
    # Symmetric: to exceed a sum is as likely as to stay below what it leaves of the total.
    return float(min(1.0, 2 * min(at_most[above], at_most[len(at_most) - 1 - above])))


def _doubled_ranks(magnitudes: NDArray[np.float64], rounding: float) -> NDArray[np.int64]:
    """Return twice the mean ranks, which are integers."""
    order = np.argsort(magnitudes, kind="stable")
    starts = np.concatenate(([True], np.diff(magnitudes[order]) > rounding))
    group = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(order)) - 1
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = (first + last + 2)[group]
    return ranks


@lru_cache(maxsize=256)
def _at_most(ranks: tuple[int, ...]) -> NDArray[np.float64]:
    """Return P(sum of the positive ranks ≤ s) for every s, each sign being a coin."""
    probability = np.zeros(sum(ranks) + 1)
    probability[0] = 1.0
    for rank in ranks:
        with_it = np.zeros_like(probability)
        with_it[rank:] = probability[: len(probability) - rank]
        probability = (probability + with_it) / 2
    return np.cumsum(probability)
