"""A t statistic that is corrected for the skewness of its sample."""

import math


def johnson_t(t: float, skewness: float, n: int) -> float:
    """Return Johnson's t (1978) of a sample of ``n`` with a t statistic and a skewness.

    ``t + γ / (6 √n) · (1 + 2 t²)`` with ``γ = m₃ / m₂^(3/2)``: where the long tail is on the other
    side of the mean than the value that is tested, the mean is nearer to that than it seems.
    """
    return t + skewness / (6 * math.sqrt(n)) * (1 + 2 * t * t)
