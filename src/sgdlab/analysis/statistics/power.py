# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""How many units would resolve a difference: the power of the paired t-test."""

import math

from scipy.special import nctdtr, ndtri, stdtrit

from sgdlab.analysis.statistics.anytime import anytime_quantile
from sgdlab.analysis.statistics.guard import guard
from sgdlab.analysis.statistics.levels import ALPHA, ANYTIME, FIXED, NAN, POWER

_LARGE = 1e6


def seeds_needed(
    mean: float,
    sd: float,
    alpha: float = ALPHA,
    power: float = POWER,
    design: str = FIXED,
    *,
    apart: bool = False,
) -> float:
    """Return the fewest pairs with which a two-sided paired t-test has ``power``, at least 2.

    The power of n pairs is ``P(|T| > guard(n) · t(1 − alpha/2, n − 1))`` for T of the noncentral t
    distribution with n − 1 degrees of freedom and noncentrality ``√n · |mean| / sd``, with the
    factor of `sgdlab.analysis.statistics.guard`. It rises with n, so the smallest n is found by
    bisection; beyond a million pairs by the normal approximation
    ``((z(1 − alpha/2) + z(power)) · sd / mean)²``.

    The answer is for a true difference and spread of ``mean`` and ``sd``. Put in as observed,
    it inherits their noise: where a comparison of few pairs came out large by luck, more pairs
    than this are needed, and fewer where it came out small.

    Args:
        mean: Difference to be found, in the unit of ``sd``; its sign does not matter.
        sd: Standard deviation of the differences of pairs.
        alpha: Two-sided level. Of m comparisons adjusted by Holm ``ALPHA / m`` is conservative:
            it is Holm's level for the smallest p-value, the others have larger ones.
        power: Probability of finding the difference, above ``alpha`` and below 1.
        design: ``fixed``; ``anytime`` for a look that nobody planned, with the quantile of
            `sgdlab.analysis.statistics.anytime` in the place of Student's; ``planned`` with the
            wider standard error of planned looks, at the level of a single one: their own levels
            cost some pairs in a hundred more.
        apart: Whether samples are independent: at any time each of them then has an interval of its
            own at half the level, here of equal spread
            (`sgdlab.analysis.statistics.anytime.anytime_apart`).

    Returns:
        A whole number; NaN for a mean of 0, which no number of pairs would tell from 0, and where
        mean or sd is not finite or sd is 0, which means that the spread is unknown.

    Raises:
        ValueError: ``alpha`` or ``power`` is out of range.
    """
    if not 0 < alpha < power < 1:
        raise ValueError(f"alpha={alpha}, power={power}: must be 0 < alpha < power < 1")
    if not (math.isfinite(mean) and math.isfinite(sd)):
        return NAN
    if mean == 0 or sd <= 0:
        return NAN
    effect = abs(mean) / sd
    normal = (float(ndtri(1 - alpha / 2)) + float(ndtri(power))) / effect
    if normal > math.sqrt(_LARGE):
        return float(math.ceil(normal**2)) if normal < 1e150 else math.inf

    def is_enough(n: int) -> bool:
        return _power(n, effect, alpha, design, apart) >= power

    low, high = 1, 2
    while not is_enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return float(high)


def _power(n: int, effect: float, alpha: float, design: str, apart: bool) -> float:
    freedom = n - 1
    if design == ANYTIME and apart:
        # Twice q sd / √(2n) stands against the one of a pair, q sd / √n.
        quantile = math.sqrt(2) * anytime_quantile(n, alpha / 2)
    elif design == ANYTIME:
        quantile = anytime_quantile(n, alpha)
    else:
        quantile = float(stdtrit(freedom, 1 - alpha / 2))
    if math.isinf(quantile):
        return 0.0
    critical = quantile * guard(n, design)
    shift = math.sqrt(n) * effect
    return 1 - _below(freedom, shift, critical) + _below(freedom, shift, -critical)


def _below(freedom: int, shift: float, t: float) -> float:
    """Return P(T ≤ t); SciPy gives NaN for some of those far below 1e-12, which are 0 here."""
    probability = float(nctdtr(freedom, shift, t))
    return 0.0 if math.isnan(probability) else probability
