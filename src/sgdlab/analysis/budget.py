"""What a tuning budget buys: the best of ``k`` trials, expected from ``n`` that were run."""

import math
from collections.abc import Sequence

import numpy as np


def expected_best(values: Sequence[float], k: int, *, maximize: bool = False) -> float:
    """Return the expected best of ``k`` trials drawn without replacement from those of ``values``.

    With the values sorted best first, ``v_0, …, v_{n-1}``, trial ``i`` is the best of a subset of
    ``k`` when it is in it and the others come from the ``n - i - 1`` behind it:

        ``E = Σ_i v_i · C(n - i - 1, k - 1) / C(n, k)``

    This is the mean over all subsets, hence an unbiased estimate of what ``k`` trials of the same
    search would have found. Dodge et al. (2019), "Show your work", who introduced such curves, draw
    with replacement: ``E = Σ_i v_i · (((n-i)/n)^k - ((n-i-1)/n)^k)``, which is biased towards
    worse values and less so the larger ``n`` (Tang et al. 2020).

    Args:
        values: The result of each trial. That of a trial without one (diverged) is ``inf``, or
            ``-inf`` under ``maximize``: the expectation then is infinite for every ``k`` whose
            subsets may hold nothing better.
        k: Trials of the smaller budget, from 1 to ``n``.
        maximize: Whether larger is better.

    Raises:
        ValueError: ``k`` is not in that range, or a value is NaN.
    """
    n = len(values)
    if not 1 <= k <= n:
        raise ValueError(f"k={k}: must be from 1 to the number of trials, {n}")
    if any(math.isnan(value) for value in values):
        raise ValueError("a trial without a result is the worst one: inf, not NaN")
    ordered = sorted(values, reverse=maximize)
    if not math.isfinite(ordered[n - k]):
        return ordered[n - k]
    # Of all subsets, those whose best is the i-th value: C(n − i − 1, k − 1) / C(n, k), each from
    # the one before it, since the numbers themselves have thousands of digits.
    place = np.arange(n - k)
    shares = np.cumprod(np.concatenate(([k / n], (n - k - place) / (n - 1 - place))))
    return math.fsum((np.array(ordered[: n - k + 1]) * shares).tolist())
