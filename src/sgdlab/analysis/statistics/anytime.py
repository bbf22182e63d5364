"""Looks whenever one wants: p-values and intervals of means that hold at all of them at once."""

import math

from sgdlab.analysis.statistics.levels import ALPHA

PRIOR_PAIRS = 1.0
"""c²: the mixture is over effects of mean 0 and sd 1 / c, in standard deviations of a unit.

With 0.5, 1, 2 and 4 differences of 0.7 sd take 24.6, 24.0, 23.9 and 24.7 units on average, those
of 2 sd 7.0, 7.4, 8.3 and 9.7."""

_HALVINGS = 80


def anytime_p(t: float, n: int) -> float:
    """Return a p-value of the mean of ``n`` values that holds however often one looks.

    ``p = min(1, 1 / M_n)`` with the t-mixture martingale (Lai 1976; Wang & Ramdas 2024, whose
    mixture over effects ``mean / sd`` is N(0, 1 / c²), here c = 1; in Bayes's terms Gönen et al.
    2005)

        ``M_n = g^(−1/2) ((1 + t² / ν) / (1 + t² / (ν g)))^(n/2)``

    with ``g = 1 + n / c²`` and ``ν = n − 1``.

    Of normal values without an effect M_n is a martingale that begins at 1, whatever their spread,
    so that it ever reaches 1 / α with probability α at most (Ville 1939): also with few values,
    where intervals that rest on a central limit fail. It depends on no order, and no number of
    looks. M_n cannot exceed ``g^((n − 1)/2)``: below 5 values no p-value is below .05.

    Args:
        t: The t statistic; the two sides are alike.
        n: The values.
    """
    if n < 2:
        return 1.0
    g, x = 1 + n / PRIOR_PAIRS, t * t / (n - 1)
    log = n / 2 * (math.log(g) if math.isinf(x) else math.log1p(x) - math.log1p(x / g))
    return min(1.0, math.exp(min(0.0, math.log(g) / 2 - log)))


def anytime_quantile(n: int, level: float = ALPHA) -> float:
    """Return the |t| up to which `anytime_p` of ``n`` values is above ``level``.

    ``t² = ν (B − 1) / (1 − B / g)`` with ``B = (√g / level)^(2/n)``; infinite where B ≥ g. Times
    the standard error it is half the width of a confidence sequence: intervals of which all, at
    every n, cover the mean with probability ``1 − level``.
    """
    if n < 2:
        return math.inf
    g = 1 + n / PRIOR_PAIRS
    bound = math.exp(2 / n * (math.log(g) / 2 - math.log(level)))
    if bound >= g:
        return math.inf
    return math.sqrt((n - 1) * (bound - 1) / (1 - bound / g))


def anytime_z(z: float, n: int) -> float:
    """Return `anytime_p` where the spread is known (Robbins 1970).

    ``M_n = g^(−1/2) exp(z² (1 − 1 / g) / 2)`` with the same mixture over effects.
    """
    g = 1 + n / PRIOR_PAIRS
    return min(1.0, math.exp(min(0.0, math.log(g) / 2 - z * z * (1 - 1 / g) / 2)))


def anytime_apart(gap: float, errors: tuple[float, float], counts: tuple[int, int]) -> float:
    """Return a p-value of the distance of two independent means that holds at all looks.

    Each mean has a confidence sequence of its own at half the level; the p-value is the least level
    at which the two do not overlap. Spreads may differ, as may counts and the times of looks: of
    Welch's t no such martingale is known.

    Args:
        gap: The distance of the two means, from the value that is tested.
        errors: Their standard errors.
        counts: Their numbers of values.
    """
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        level = (low + high) / 2
        reached = anytime_reach(errors, counts, level) < abs(gap)
        low, high = (low, level) if reached else (level, high)
    return high


def anytime_reach(
    errors: tuple[float, float], counts: tuple[int, int], level: float = ALPHA
) -> float:
    """Return half the width of the interval of a difference: of both means, half the level each."""
    return math.fsum(
        error * anytime_quantile(n, level / 2)
        for error, n in zip(errors, counts, strict=True)
        if error
    )
