"""Leaving out operations that would change nothing."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def without_idle(
    coefficients: Mapping[str, NDArray[np.float64]], **idle: float
) -> dict[str, NDArray[np.float64]]:
    """Return the coefficients less those that are idle in all steps of all runs.

    A rule leaves out the operation of a coefficient that is missing. That may change no bit of a
    finite result (the sign of a zero excepted), or a run would depend on its neighbours: so only
    factors of 1 and products with 0 that are added may be named here.

    Args:
        coefficients: Each ``[steps, runs]``.
        idle: By name, the value with which a coefficient has no effect.
    """
    return {
        name: values
        for name, values in coefficients.items()
        if name not in idle or (values != idle[name]).any()
    }
