# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""The paired comparison of two samples: t, signed rank, equivalence, effect size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from sgdlab.analysis.statistics.guard import guard
from sgdlab.analysis.statistics.interval import half_width
from sgdlab.analysis.statistics.levels import NAN, ROUNDINGS
from sgdlab.analysis.statistics.signed_rank import signed_rank


@dataclass(frozen=True)
class PairedTest:
    """A paired comparison of ``first − second``; ``note`` says why there is no p-value.

    ``p`` is the t-test's, ``p_wilcoxon`` the signed-rank test's, ``p_equivalence`` that of two
    one-sided t-tests against the margin; ``effect_size`` is ``mean / sd``. What cannot be said is
    NaN. ``equal``: no pair differs; ``error``: the standard error of the mean; ``skewness``:
    ``m₃ / m₂^(3/2)`` of the differences.
    """

    n: int
    mean: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN
    p: float = NAN
    p_wilcoxon: float = NAN
    p_equivalence: float = NAN
    effect_size: float = NAN
    note: str = ""
    sd: float = NAN
    equal: bool = False
    error: float = NAN
    skewness: float = NAN


def paired_t(
    first: Sequence[float],
    second: Sequence[float],
    margin: float | None = None,
    *,
    unit: str = "seed",
    overlap: float = 0.0,
) -> PairedTest:
    """Compare ``first`` with ``second``, paired by position, by their differences ``d``.

    - t-test of mean 0 and the 95 % t interval of the mean (Student 1908), with the standard error
      widened by `guard`, 1.13 for 5 pairs and 1.1 for 10: Student's own takes errors of unlike
      shape for a difference too often. ``error`` is without it.
    - Signed-rank test, exact (`signed_rank`); it cannot go below ``2 / 2^n``, .002 at n = 10, so
      Holm's adjustment over more than 25 pairs then never rejects.
    - Effect size ``d_z = mean(d) / sd(d)`` (Cohen 1988), without Hedges' correction, so that it is
      what a power analysis takes. It overstates the population's: by 25 % at n = 5, by 9 % at
      n = 10 in expectation (Hedges 1981: ``Γ((n−1)/2) / (√((n−1)/2) Γ((n−2)/2))``).
    - Equivalence within ``±margin``: the larger p-value of the two one-sided t-tests of
      ``mean ≤ −margin`` and ``mean ≥ margin`` (Schuirmann 1987).

    Differences that are all the same have no spread, and yet are not known exactly: accuracies on
    a small split are steps apart, and equal steps hide what is smaller. There the smallest gap q
    between two of the values takes its place, as the error of rounding to steps of q does:
    ``sd = q / √12`` (Sheppard 1898). So 100 % against 66.67 % in five seeds is a difference
    (p = 0.002), one step in two seeds is none (p = 0.14). Where no two values differ at all,
    they are equivalent for every margin, with p = 0.

    Pairs that have splits of their own of the same data are not independent: their training and
    test sets overlap, and ``s² / n`` is too small. The squared error then is
    ``(1 / n + n_test / n_train) s²`` (Nadeau and Bengio 2003), and there is no signed-rank test.

    Args:
        first: A value per pair.
        second: A value per pair, in the same order.
        margin: Largest difference that does not matter, in the unit of the values; None: no test.
        unit: What a pair is, for the notes.
        overlap: ``n_test / n_train`` of pairs with a split each; 0: pairs are independent.

    Raises:
        ValueError: ``margin`` is not a positive number.
    """
    if margin is not None and not 0 < margin < math.inf:
        raise ValueError(f"margin={margin}: must be a positive number")
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    delta = a - b
    n = len(delta)
    if n == 0:
        return PairedTest(0, note=f"no {unit} was completed by both")
    mean = float(np.mean(delta))
    if n == 1:
        return PairedTest(1, mean, note="one pair: the spread cannot be estimated")
    # Differences of rounded numbers: what is below rounding is no spread.
    rounding = ROUNDINGS * float(max(np.abs(a).max(), np.abs(b).max()))
    if abs(mean) <= rounding:
        mean = 0.0
    p_wilcoxon = NAN if overlap else signed_rank(delta, rounding)
    note = ""
    sd = float(np.std(delta, ddof=1))
    if float(np.ptp(delta)) <= rounding:
        note = f"the same difference for every {unit}" if mean else f"equal for every {unit}"
        sd = smallest_step(np.concatenate([a, b]), rounding) / math.sqrt(12)
        if sd == 0:
            same = NAN if margin is None else 0.0
            return PairedTest(n, 0.0, 0.0, 0.0, 1.0, p_wilcoxon, same, 0.0, note, 0.0, True, 0.0)
    error = math.sqrt(1 + n * overlap) * sd / math.sqrt(n)
    widened = error * guard(n)
    half = half_width(n, math.sqrt(1 + n * overlap) * sd * guard(n))
    p = 2 * float(stdtr(n - 1, -abs(mean) / widened))
    equivalence = NAN
    if margin is not None:
        equivalence = float(stdtr(n - 1, (abs(mean) - margin) / widened))
    ends = mean - half, mean + half
    equal = bool(note) and mean == 0
    effect = mean / sd
    third = float(np.mean((delta - float(np.mean(delta))) ** 3))
    skewness = 0.0 if note else third / float(np.std(delta)) ** 3
    tests = p, p_wilcoxon, equivalence
    return PairedTest(n, mean, *ends, *tests, effect, note, sd, equal, error, skewness)


def smallest_step(values: NDArray[np.float64], rounding: float) -> float:
    """Return the smallest gap between two values that is more than rounding; 0 without one."""
    gaps = np.diff(np.sort(values))
    return float(gaps[gaps > rounding].min(initial=math.inf)) if (gaps > rounding).any() else 0.0
