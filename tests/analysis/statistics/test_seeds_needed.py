import math

import numpy as np
import pytest
from scipy.special import gammaincinv, ndtr, stdtr, stdtrit
from statsmodels.stats.power import TTestPower

from guarded import guarded_power, widening
from sgdlab.analysis.statistics import seeds_needed


def power_of(n: int, effect: float, alpha: float) -> float:
    """The power given the spread, averaged over 10,000 quantiles of the spread's distribution."""
    quantiles = (np.arange(10_000) + 0.5) / 10_000
    spread = np.sqrt(2 * gammaincinv((n - 1) / 2, quantiles) / (n - 1))
    needed = stdtrit(n - 1, 1 - alpha / 2) * widening(n) * spread
    shift = math.sqrt(n) * effect
    return float(np.mean(ndtr(shift - needed) + ndtr(-shift - needed)))


@pytest.mark.parametrize("effect", [0.05, 0.2, 0.5, 0.8, 1.3, 2.0, 4.0, 30.0])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 15, 0.05 / 190])
def test_is_the_smallest_number_with_that_power(effect: float, alpha: float) -> None:
    found = int(seeds_needed(-3 * effect, 3, alpha))
    assert power_of(found, effect, alpha) > 0.8 - 2e-5
    assert found == 2 or power_of(found - 1, effect, alpha) < 0.8 + 2e-5


@pytest.mark.parametrize("effect", [0.05, 0.2, 0.5, 0.8, 1.3])
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_agrees_with_statsmodels(effect: float, power: float) -> None:
    """At the level that Student's t has beyond the widened quantile."""

    def known(n: int) -> float:
        level = 2 * stdtr(n - 1, -widening(n) * stdtrit(n - 1, 0.975))
        return TTestPower().power(effect, n, level)

    found = int(seeds_needed(effect * 3, 3, power=power))
    assert known(found) >= power > known(found - 1)


@pytest.mark.parametrize(
    ("effect", "alpha"), [(0.3, 0.05), (0.6, 0.05), (1.0, 0.05), (2.0, 0.05), (0.8, 0.05 / 15)]
)
def test_as_many_as_say_have_80_percent_power_by_simulation(effect: float, alpha: float) -> None:
    """Within 20 % (issue 5) is asked; the smallest n is found, up to Monte Carlo error."""
    needed = int(seeds_needed(effect, 1, alpha))

    def power(n: int) -> float:
        studies = 30_000
        d = np.random.default_rng(n).normal(effect, 1, (studies, n))
        t = d.mean(axis=1) / (d.std(axis=1, ddof=1) / math.sqrt(n))
        return float(np.mean(np.abs(t) > widening(n) * stdtrit(n - 1, 1 - alpha / 2)))

    error = 3 * math.sqrt(0.8 * 0.2 / 30_000)
    assert power(needed) > 0.8 - error
    assert power(needed - 1) < 0.8 + error
    if needed > 5:
        assert power(math.floor(needed / 1.2)) < 0.8 < power(math.ceil(needed * 1.2))


def test_by_hand() -> None:
    # Cohen (1988), table 2.3: d_z = 0.5, two-sided .05, power .80 needs 34 pairs of Student's t.
    assert seeds_needed(0.5, 1.0) == seeds_needed(-1.0, 2.0) == 35
    assert guarded_power(0.5, 35, 0.05) >= 0.8 > guarded_power(0.5, 34, 0.05)
    assert seeds_needed(1e9, 1.0) == 2


def test_what_is_not_known_is_not_planned() -> None:
    assert math.isnan(seeds_needed(0.0, 1.0))
    assert math.isnan(seeds_needed(0.0, 0.0))
    assert math.isnan(seeds_needed(1.0, 0.0))
    assert math.isnan(seeds_needed(math.nan, 1.0))
    assert math.isnan(seeds_needed(1.0, math.inf))


def test_beyond_a_million_pairs_the_normal_approximation_continues() -> None:
    below, above = seeds_needed(0.002802, 1.0), seeds_needed(0.002801, 1.0)
    assert below < 1e6 < above
    assert above - below == pytest.approx(2e6 * 1e-6 / 0.0028, rel=0.2)
    # (1.959964 + 0.841621)² · 1e8
    assert seeds_needed(1e-4, 1.0) == pytest.approx(7.84888e8, rel=1e-6)
    assert math.isfinite(seeds_needed(1e-100, 1.0))
    assert seeds_needed(1e-300, 1.0) == math.inf


def test_levels_out_of_range_are_refused() -> None:
    for alpha, power in ((0.0, 0.8), (0.05, 1.0), (0.9, 0.8)):
        with pytest.raises(ValueError, match="alpha < power"):
            seeds_needed(1.0, 1.0, alpha, power)
