# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Simultaneous confidence bands of a distribution function, and of the best of k draws from it."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaln

from sgdlab.analysis.statistics.levels import ALPHA

Floats = NDArray[np.float64]

EXACT_UP_TO = 200
"""More draws have the band of Dvoretzky, Kiefer and Wolfowitz, which is nearly as narrow there."""


@lru_cache(maxsize=64)
def order_bounds(n: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return between what ``F(y_(i))`` lies for all i at once, of n draws, with 95 % confidence.

    ``F(y_(i))`` is the i-th of n ordered uniform numbers, Beta(i, n + 1 − i) distributed. Both ends
    are its quantiles at ``γ / 2`` and ``1 − γ / 2``, with the largest γ at which all n intervals
    hold together in 95 % (Learned-Miller and DeStefano 2008), found by bisection on the exact
    probability (`covered`). Of more than `EXACT_UP_TO` draws they are ``i / n + ε`` and
    ``(i − 1) / n − ε`` with ``ε = √(ln(2 / .05) / 2n)`` (Dvoretzky, Kiefer and Wolfowitz 1956;
    Massart 1990).

    Args:
        n: The number of draws, 1 or more.
    """
    i = np.arange(1, n + 1)
    if n > EXACT_UP_TO:
        epsilon = math.sqrt(math.log(2 / ALPHA) / (2 * n))
        low, high = np.maximum(i / n - epsilon, 0), np.minimum((i - 1) / n + epsilon, 1)
        return tuple(low.tolist()), tuple(high.tolist())
    least, most = ALPHA / n, ALPHA
    for _ in range(25):
        gamma = (least + most) / 2
        if covered(*_quantiles(n, gamma)) >= 1 - ALPHA:
            least = gamma
        else:
            most = gamma
    low, high = _quantiles(n, least)
    return tuple(low.tolist()), tuple(high.tolist())


def _quantiles(n: int, gamma: float) -> tuple[Floats, Floats]:
    i = np.arange(1, n + 1)
    return betaincinv(i, n + 1 - i, gamma / 2), betaincinv(i, n + 1 - i, 1 - gamma / 2)


def covered(low: Floats, high: Floats) -> float:
    """Return the chance that every one of n ordered uniform numbers lies between its two ends.

    The count of numbers up to t is a Poisson process of rate n, given that it is n at 1. It must be
    at most i − 1 at each ``low_i``, and at least i at each ``high_i``; in between it may only grow,
    so that these times are all that has to be looked at (as Noé 1972).
    """
    n = len(low)
    times = sorted([(float(t), "low", i) for i, t in enumerate(low, 1)] +
                   [(float(t), "high", i) for i, t in enumerate(high, 1)])  # fmt: skip
    counts = np.arange(n + 1)
    factorials = gammaln(counts + 1)
    state, now = np.zeros(n + 1), 0.0
    state[0] = 1.0
    for time, side, i in [*times, (1.0, "end", n)]:
        rate = n * (time - now)
        if rate > 0:
            jumps = np.exp(counts * math.log(rate) - rate - factorials)
            state = np.convolve(state, jumps)[: n + 1]
        now = time
        if side == "low":
            state[i:] = 0.0
        elif side == "high":
            state[:i] = 0.0
    return float(state[n] / math.exp(n * math.log(n) - n - factorials[n]))


def best_of_band(values: Sequence[float], k: int, *, maximise: bool) -> tuple[float, float, float]:
    """Return the median of the best of k draws, and its ends in a simultaneous 95 % band.

    The best of k is at most y with probability ``F(y)^k``, so its median is the quantile of F at
    ``.5^(1 / k)`` (Lourie, Cho and He 2024). The band of F bounds that for all k at once: no
    correction for looking along the curve is needed. Where so few draws say nothing of such a
    quantile, an end is infinite.

    Args:
        values: The draws; those that failed to give one are the worst value, ``±inf``.
        k: How many are drawn.
        maximise: Whether larger is better.
    """
    ordered = np.sort(np.asarray(values, dtype=float) * (1 if maximise else -1))
    n, wanted = len(ordered), 0.5 ** (1 / k)
    low, high = (np.asarray(side) for side in order_bounds(n))
    # The quantile is at most y_(i) where F(y_(i)) surely is that large, and at least y_(i) where
    # F just below y_(i) surely is not.
    reached, missed = int((low < wanted).sum()), int((high < wanted).sum())
    most = float(ordered[reached]) if reached < n else math.inf
    least = float(ordered[missed - 1]) if missed else -math.inf
    median = float(ordered[min(n - 1, math.ceil(n * wanted - 1e-9) - 1)])
    return (median, least, most) if maximise else (-median, -most, -least)
