import math

import numpy as np
import pytest
from scipy import integrate, stats

from sgdlab.analysis.statistics import UNDECIDED, expected_maximum, judge, of_attempts


@pytest.mark.parametrize("attempts", [1, 2, 10, 100, 1000])
def test_the_expected_maximum_is_the_integral(attempts: int) -> None:
    def density(z: float) -> float:
        return z * attempts * stats.norm.pdf(z) * stats.norm.cdf(z) ** (attempts - 1)

    known = integrate.quad(density, -12, 12, points=[0, 3], epsabs=1e-13)[0]
    assert expected_maximum(attempts) == pytest.approx(known, abs=1e-9)


def test_the_least_p_of_many_attempts_is_uniform_once_corrected() -> None:
    rng = np.random.default_rng(0)
    least = rng.uniform(size=(20_000, 7)).min(axis=1)
    corrected = [of_attempts(float(p), 7) for p in least]
    assert stats.kstest(corrected, "uniform").pvalue > 0.01


def test_tiny_p_values_keep_their_digits() -> None:
    assert of_attempts(1e-20, 50) == pytest.approx(5e-19, rel=1e-12)
    assert of_attempts(1.0, 50) == 1.0
    assert math.isnan(of_attempts(math.nan, 3))


@pytest.mark.parametrize("function", [lambda n: of_attempts(0.1, n), expected_maximum])
def test_there_is_one_attempt_at_least(function) -> None:
    with pytest.raises(ValueError, match="attempts=0"):
        function(0)


def test_a_winner_among_many_attempts_needs_more() -> None:
    first = dict(enumerate([1.0, 2.0, 3.0, 4.0, 5.0]))
    second = dict(enumerate([0.4, 1.2, 2.6, 3.1, 3.9]))
    (alone,) = judge([("a", first), ("b", second)], maximise=True)
    (best,) = judge([("a", first), ("b", second)], maximise=True, attempts=2000)
    assert alone.p_adjusted < 0.05
    assert best.p_adjusted == pytest.approx(1 - (1 - alone.p_adjusted) ** 2000)
    assert best.verdict == UNDECIDED
