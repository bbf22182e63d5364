"""The band of a distribution holds for all draws at once, as exactly as its closed forms say."""

import math

import numpy as np
import pytest
from scipy import stats

from sgdlab.analysis.statistics import best_of_band, covered, order_bounds
from sgdlab.analysis.statistics.cdf_band import EXACT_UP_TO


def test_the_chance_of_small_samples_is_the_closed_form() -> None:
    assert covered(np.array([0.2]), np.array([0.7])) == pytest.approx(0.5)
    # U_(1) in [a, b], U_(2) in [c, d] with b < c: two numbers, one in each.
    found = covered(np.array([0.1, 0.6]), np.array([0.5, 0.9]))
    assert found == pytest.approx(2 * 0.4 * 0.3)
    # All above a: (1 - a)^n.
    assert covered(np.full(5, 0.3), np.ones(5)) == pytest.approx(0.7**5)
    assert covered(np.zeros(5), np.full(5, 0.8)) == pytest.approx(0.8**5)


def test_of_one_draw_the_band_is_the_interval_of_a_uniform_number() -> None:
    (low,), (high,) = order_bounds(1)
    assert (low, high) == pytest.approx((0.025, 0.975), abs=1e-6)


@pytest.mark.parametrize("n", [3, 16, 80])
def test_all_ends_hold_together_in_95_percent(n: int) -> None:
    draws = np.sort(np.random.default_rng(n).uniform(size=(20_000, n)), axis=1)
    low, high = map(np.asarray, order_bounds(n))
    held = ((low <= draws) & (draws <= high)).all(axis=1).mean()
    assert held == pytest.approx(0.95, abs=0.005)
    # Each end is the quantile of one level for all of them.
    i = np.arange(1, n + 1)
    levels = stats.beta(i, n + 1 - i).cdf(low)
    assert levels == pytest.approx(np.full(n, levels[0]))


def test_many_draws_have_the_band_of_dkw() -> None:
    n = EXACT_UP_TO + 50
    low, high = order_bounds(n)
    epsilon = math.sqrt(math.log(40) / (2 * n))
    assert low[-1] == pytest.approx(1 - epsilon)
    assert high[0] == pytest.approx(epsilon)


def test_the_ends_are_those_of_the_quantile() -> None:
    values = np.random.default_rng(0).normal(size=40).tolist()
    ordered = sorted(values)
    low, high = order_bounds(40)
    for k in (1, 3, 10):
        q = 0.5 ** (1 / k)
        median, least, most = best_of_band(values, k, maximise=True)
        assert median == ordered[math.ceil(40 * q) - 1]
        assert least == max(y for y, h in zip(ordered, high, strict=True) if h < q)
        assert most == min(
            (y for y, c in zip(ordered, low, strict=True) if c >= q), default=math.inf
        )
        turned = best_of_band([-value for value in values], k, maximise=False)
        assert turned == (-median, -most, -least)
    assert best_of_band(values, 1000, maximise=True)[2] == math.inf


def test_opda_gives_the_same_band() -> None:
    opda = pytest.importorskip("opda.nonparametric")
    values = np.random.default_rng(0).normal(size=30)
    below, _, above = opda.EmpiricalDistribution.confidence_bands(
        values, confidence=0.95, method="ld_equal_tailed"
    )
    low, high = order_bounds(30)
    ordered = np.sort(values)
    assert below.cdf(ordered) == pytest.approx(low, abs=1e-3)
    assert above.cdf(ordered - 1e-12) == pytest.approx(high, abs=1e-3)
    for k in (1, 3, 10, 20):
        _, least, most = best_of_band(values.tolist(), k, maximise=True)
        assert least == above.quantile_tuning_curve(k, q=0.5)
        assert most == below.quantile_tuning_curve(k, q=0.5)


def test_trials_that_diverged_are_the_worst() -> None:
    median, low, high = best_of_band([0.9, -math.inf, -math.inf, 0.8], 1, maximise=True)
    assert (median, low) == (-math.inf, -math.inf)
    assert high in (0.8, 0.9, math.inf)


def band_covers(rng: np.random.Generator, n: int, discrete: bool) -> bool:
    """Whether the band holds the true medians of the best of 1, 2, … 30 draws, all of them."""
    draws = rng.normal(size=n)
    truths = stats.norm.ppf(0.5 ** (1 / np.arange(1, 31)))
    if discrete:
        draws, truths = np.ceil(2 * draws) / 2, np.ceil(2 * truths) / 2
    for k, truth in enumerate(truths, 1):
        _, low, high = best_of_band(draws.tolist(), k, maximise=True)
        if not low <= truth <= high:
            return False
    return True


@pytest.mark.parametrize("discrete", [False, True])
def test_whole_curves_are_covered_in_95_percent(discrete: bool) -> None:
    rng = np.random.default_rng(4)
    held = np.mean([band_covers(rng, 40, discrete) for _ in range(300)])
    assert held >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 300)
