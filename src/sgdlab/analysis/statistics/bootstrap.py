# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""The BCa bootstrap interval of a mean, the same numbers as SciPy's and without its second."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from sgdlab.analysis.statistics.levels import LEVEL, ROUNDINGS

RESAMPLES = 9999
"""Bootstrap samples of up to 100 values; of more values, as many samples as make 1,000,000 drawn
values, and 999 at least."""

SEED = 0

_DRAWN = 1_000_000
_KEPT = 100  # values: indices of more take memory that is not worth the time saved


def resamples(n: int) -> int:
    """Return how many bootstrap samples are drawn of ``n`` values."""
    return min(RESAMPLES, max(999, _DRAWN // n))


def bca_of_mean(sample: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % BCa bootstrap interval of the mean (Efron 1987, "Better bootstrap CIs").

    With ``θ*`` the means of the bootstrap samples, ``z0 = Φ⁻¹(share of θ* below the mean, ties
    half)``, ``a = Σd³ / (6 (Σd²)^{3/2})`` for ``d_i = x_i − x̄``, and ``z = Φ⁻¹(0.025)``, the ends
    are the quantiles of ``θ*`` at ``Φ(z0 + (z0 ± z) / (1 − a (z0 ± z)))``.

    The samples drawn are those of ``scipy.stats.bootstrap(method="BCa")`` for the generator
    ``numpy.random.default_rng(0)``, so that SciPy gives the same interval. It differs in ties:
    a mean of the same values in another order is a tie here whatever its rounding.

    Args:
        sample: At least two finite values that are not all equal.
    """
    n = len(sample)
    centre = float(np.mean(sample))
    deviations = sample - centre
    scale = float(np.abs(deviations).max())
    # Of order 1, so that neither squares nor cubes leave the range of a float.
    deviations = deviations / scale
    means = _means_of_resamples(deviations)
    tie = n * ROUNDINGS
    below = np.count_nonzero(means < -tie) + np.count_nonzero(means <= tie)
    bias = float(ndtri(below / (2 * len(means))))
    squares = float(np.sum(deviations**2))
    acceleration = float(np.sum(deviations**3)) / (6 * squares**1.5)
    ends: list[float] = []
    for z in (float(ndtri(0.5 - LEVEL / 2)), float(ndtri(0.5 + LEVEL / 2))):
        shifted = bias + z
        ends.append(float(ndtr(bias + shifted / (1 - acceleration * shifted))))
    low, high = np.quantile(means, ends)
    return centre + scale * float(low), centre + scale * float(high)


def _means_of_resamples(values: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(values)
    if n <= _KEPT:
        return values[_indices(n)].mean(axis=1)
    rng = np.random.default_rng(SEED)
    total = resamples(n)
    batch = max(1, 200_000 // n)
    sizes = [min(batch, total - start) for start in range(0, total, batch)]
    return np.concatenate([values[rng.integers(0, n, (size, n))].mean(axis=1) for size in sizes])


@lru_cache(maxsize=16)
def _indices(n: int) -> NDArray[np.int64]:
    return np.random.default_rng(SEED).integers(0, n, (resamples(n), n))
