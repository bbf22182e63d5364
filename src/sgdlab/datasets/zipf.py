"""Frequencies that fall as a power of the rank, and whole numbers of examples with them."""

import numpy as np


def zipf(classes: int, exponent: float) -> np.ndarray:
    """Return ``p_k = k^-exponent / Σ_j j^-exponent`` for the ranks ``k = 1, …, classes``.

    Args:
        classes: How many there are.
        exponent: From 0; 1 is Zipf's law of the words of a text.

    Source: Zipf (1935), "The psycho-biology of language".
    """
    weight = np.arange(1, classes + 1) ** -float(exponent)
    return weight / weight.sum()


def zipf_counts(total: int, classes: int, exponent: float, least: int) -> np.ndarray:
    """Return how many of ``total`` examples each class has, int64 ``[classes]``.

    Classes whose share of ``total`` is below ``least`` have ``least`` examples; the others share
    what is left in proportion to `zipf`, rounded by largest remainders (Hamilton's method), so
    that each is less than 1 from its share.

    Args:
        total: Examples, at least ``least`` for each class.
        classes: How many there are.
        exponent: See `zipf`.
        least: The smallest number of examples of a class.
    """
    p = zipf(classes, exponent)
    shared = total - least * (classes - np.arange(1, classes + 1))  # among the c most frequent
    rarest = shared * p / np.cumsum(p)  # what the last of them gets
    common = int(np.flatnonzero(rarest >= least)[-1]) + 1
    share = shared[common - 1] * p[:common] / p[:common].sum()
    counts = np.full(classes, least, np.int64)
    counts[:common] = np.floor(share)
    rest = total - int(counts.sum())
    first = np.argsort(-(share - np.floor(share)), kind="stable")[:rest]
    counts[first] += 1
    return counts
