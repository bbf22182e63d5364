"""Winners of unplanned looks that may lack the rare large errors of one optimizer."""

import numpy as np
import pytest
from scipy import stats

from sgdlab.analysis.statistics import (
    ANYTIME,
    FIRST_BETTER,
    PLANNED,
    SKEWED,
    Looks,
    johnson_t,
    judge,
    over_looks,
    paired_t,
)


def test_johnsons_t_is_that_of_1978() -> None:
    """``(x̄ + m₃ / (6 s² n) + m₃ x̄² / (3 s⁴)) √n / s``, with the moments of the sample."""
    d = np.random.default_rng(8).exponential(size=12) - 0.7
    s, m3 = d.std(), float(np.mean((d - d.mean()) ** 3))
    of_1978 = (d.mean() + m3 / (6 * s**2 * 12) + m3 * d.mean() ** 2 / (3 * s**4)) * 12**0.5 / s
    found = paired_t(list(d), [0.0] * 12)
    assert found.skewness == pytest.approx(stats.skew(d))
    assert johnson_t(d.mean() / s * 12**0.5, found.skewness, 12) == pytest.approx(of_1978)


def test_a_winner_that_lacks_large_errors_is_doubtful_at_any_time() -> None:
    """The tail of the differences is on the other side of 0 than their mean."""
    tail = np.array([1.0, 1.1, 1.2, 1.0, 1.15, 1.05, 1.2, 1.1, 1.12, -0.45])
    for sign, how in ((1.0, ANYTIME), (-1.0, ANYTIME), (1.0, PLANNED)):
        d = sign * tail
        plan = (10,) if how == PLANNED else ()
        found = over_looks([paired_t(list(d), [0.0] * 10)], Looks(how, (10,), plan))
        assert found.p < 0.05
        assert found.note == (SKEWED if how == ANYTIME else "")
    mirrored = 2 * tail.mean() - tail  # as large a mean, and the tail on its own side
    assert not over_looks([paired_t(list(mirrored), [0.0] * 10)], Looks(ANYTIME, (10,))).note
    samples = [("a", dict(enumerate(tail))), ("b", dict.fromkeys(range(10), 0.0))]
    (judged,) = judge(samples, maximise=True, looks=Looks(ANYTIME, (5, 10)), earlier=[
        [(name, {u: v for u, v in values.items() if u < 5}) for name, values in samples]
    ])  # fmt: skip
    assert judged.verdict == FIRST_BETTER
    assert SKEWED in judged.note
