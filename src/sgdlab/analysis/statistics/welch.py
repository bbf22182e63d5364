# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""The comparison of two independent samples: Welch's t, equivalence, effect size."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from sgdlab.analysis.statistics.guard import guard
from sgdlab.analysis.statistics.levels import LEVEL, ROUNDINGS
from sgdlab.analysis.statistics.paired import PairedTest, smallest_step


def welch(
    first: Sequence[float],
    second: Sequence[float],
    margin: float | None = None,
    *,
    unit: str = "run",
) -> PairedTest:
    """Compare ``first`` with ``second``, independent samples of unequal variances.

    With the squared errors ``e_i = s_i² / n_i`` (Welch 1947):

        ``t = (x̄₁ − x̄₂) / √(e₁ + e₂)``, ``ν = (e₁ + e₂)² / (e₁² / (n₁ − 1) + e₂² / (n₂ − 1))``

    The standard error is widened by `guard` of the smaller count, as in
    `sgdlab.analysis.statistics.paired_t`; ``error`` is without it.
    The interval is the 95 % t interval with ν degrees of freedom; equivalence the larger p-value of
    two one-sided tests against ``±margin`` (Schuirmann 1987). The effect size is Cohen's d,
    ``(x̄₁ − x̄₂) / √((s₁² + s₂²) / 2)``. ``sd`` is ``√(s₁² + s₂²)``, that of the difference of two
    runs, so that a power analysis of pairs holds for as many runs of each, at least. ``n`` is the
    smaller of both counts. There is no signed-rank test.

    Of 100,000 normal samples without a difference, 5 against 5 of equal spread, 4 of three times
    the spread against 12 and 12 against 4, it names a winner in 2.7, 4.4 and 2.8 % (4.4, 5.9 and
    4.8 % without the wider error); with exponential errors of twice the spread against normal ones
    in 5.4 and 5.7 % of 5 against 5 and 10 against 10 (7.6 and 7.4 %).

    Samples without any spread have that of rounding to the smallest gap q between two values,
    ``q / √12`` each, as in `sgdlab.analysis.statistics.paired_t`.

    Args:
        first: A value per run of the one.
        second: A value per run of the other.
        margin: Largest difference that does not matter, in the unit of the values; None: no test.
        unit: What a value is of, for the notes.

    Raises:
        ValueError: ``margin`` is not a positive number.
    """
    if margin is not None and not 0 < margin < math.inf:
        raise ValueError(f"margin={margin}: must be a positive number")
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    n = min(len(a), len(b))
    if n == 0:
        return PairedTest(0, note=f"no {unit} of one of them was completed")
    mean = float(np.mean(a) - np.mean(b))
    if n == 1:
        return PairedTest(1, mean, note=f"one {unit} of one of them: its spread is not known")
    rounding = ROUNDINGS * float(max(np.abs(a).max(), np.abs(b).max()))
    if abs(mean) <= rounding:
        mean = 0.0
    squares, still = _variances(a, b, rounding)
    note = ""
    if still:
        note = f"equal for every {unit} of each"
        if not any(squares):
            same = math.nan if margin is None else 0.0
            return PairedTest(
                n, 0.0, 0.0, 0.0, 1.0, math.nan, same, 0.0, note, 0.0, equal=True, error=0.0
            )
    parts = squares[0] / len(a), squares[1] / len(b)
    error = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    widened = error * guard(n)
    half = float(stdtrit(freedom, 0.5 + LEVEL / 2)) * widened
    p = 2 * float(stdtr(freedom, -abs(mean) / widened))
    equivalence = math.nan
    if margin is not None:
        equivalence = float(stdtr(freedom, (abs(mean) - margin) / widened))
    effect = mean / math.sqrt(sum(squares) / 2)
    sd = math.sqrt(sum(squares))
    return PairedTest(
        n, mean, mean - half, mean + half, p, math.nan, equivalence, effect, note, sd, error=error
    )


def errors_of(
    first: Sequence[float], second: Sequence[float]
) -> tuple[tuple[float, float], tuple[int, int]]:
    """Return the standard errors of the means of two samples of two or more, and their counts."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    rounding = ROUNDINGS * float(max(np.abs(a).max(), np.abs(b).max()))
    squares, _ = _variances(a, b, rounding)
    counts = len(a), len(b)
    return (math.sqrt(squares[0] / counts[0]), math.sqrt(squares[1] / counts[1])), counts


def _variances(
    a: NDArray[np.float64], b: NDArray[np.float64], rounding: float
) -> tuple[list[float], bool]:
    """Return both variances, and whether they are those of rounding, as nothing varies."""
    squares = [float(np.var(x, ddof=1)) if np.ptp(x) > rounding else 0.0 for x in (a, b)]
    if any(squares):
        return squares, False
    return [smallest_step(np.concatenate([a, b]), rounding) ** 2 / 12] * 2, True
