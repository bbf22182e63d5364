"""Holm's adjustment of p-values, over all tests or within families of them."""

import math
from collections.abc import Sequence

import numpy as np

from sgdlab.analysis.statistics.levels import NAN


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values (Holm 1979): ``max over j ≤ i of min(1, (m − j + 1) p_(j))``.

    A pair without one (NaN) counts as a test, and stays NaN.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(np.where(np.isnan(p), np.inf, p), kind="stable")
    adjusted = np.full(len(p), NAN)
    largest = 0.0
    for rank, index in enumerate(order):
        if math.isnan(p[index]):
            break
        largest = max(largest, min(1.0, (len(p) - rank) * float(p[index])))
        adjusted[index] = largest
    return [float(value) for value in adjusted]


def holm_within(p_values: Sequence[float], families: Sequence[str]) -> list[float]:
    """Return p-values adjusted by `holm` among those of the same family; NaN for family ``""``."""
    adjusted = [NAN] * len(p_values)
    for family in set(families) - {""}:
        places = [place for place, own in enumerate(families) if own == family]
        for place, p in zip(places, holm([p_values[place] for place in places]), strict=True):
            adjusted[place] = p
    return adjusted
