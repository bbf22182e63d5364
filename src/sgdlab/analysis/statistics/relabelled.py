"""The permutation distribution of a sum of scores: who belongs to the first sample is chance."""

import math
from functools import lru_cache
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

EXACT = 200_000
"""Up to so many ways to choose, all are counted."""

DRAWS = 99_999

CELLS = 10_000_000
"""Most numbers in the table of draws: samples of hundreds have fewer draws, and need fewer."""

SEED = 0


def relabelled_sums(scores: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the sums of ``n`` of the ``scores``: of every choice, or of random ones.

    Random ones are 99,999, or as many as make ``CELLS`` numbers.

    The choice of the first n is always among them.
    """
    chosen = _choices(len(scores), n)
    sums = np.zeros(len(chosen))
    for column in chosen.T:
        sums += scores[column]
    return sums


@lru_cache(maxsize=8)
def _choices(total: int, n: int) -> NDArray[np.int32]:
    ways = math.comb(total, n)
    if ways <= EXACT:
        flat = chain.from_iterable(combinations(range(total), n))
        return np.fromiter(flat, dtype=np.int32, count=ways * n).reshape(ways, n)
    rng = np.random.default_rng(SEED)
    rows = np.tile(np.arange(total, dtype=np.int32), (min(DRAWS, CELLS // total), 1))
    drawn = rng.permuted(rows, axis=1)[:, :n]
    return np.concatenate((np.arange(n, dtype=np.int32)[None], drawn))
