"""Random effects are statsmodels' and SciPy's, and name a winner without one in at most 5 %."""

import math
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.stats.meta_analysis import combine_effects

from sgdlab.analysis.statistics import (
    RandomEffects,
    hedges,
    random_effects,
    shared,
    standardised,
)

Array = NDArray[np.float64]
TIGHT = 1e-4
"""statsmodels ends the iteration of Paule and Mandel at 1e-5."""


def drawn(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 9))
    return rng.normal(0.5, 1, k), rng.uniform(0.05, 0.8, k)


@pytest.mark.parametrize("seed", range(12))
def test_statsmodels_gives_the_same_numbers(seed: int) -> None:
    y, v = drawn(seed)
    found = random_effects(y.tolist(), v.tolist())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # intervals of the samples, which are not asked for
        oracle = combine_effects(y, v, method_re="iterated", use_t=True)
        low, high = oracle.conf_int()[3]
    assert found.tau**2 == pytest.approx(oracle.tau2, abs=TIGHT)
    assert found.mean == pytest.approx(oracle.mean_effect_re, abs=TIGHT)
    assert found.error == pytest.approx(oracle.sd_eff_w_re_hksj, abs=TIGHT)
    assert (found.low, found.high) == pytest.approx((low, high), rel=TIGHT, abs=10 * TIGHT)
    assert found.weights == pytest.approx(oracle.weights_re / oracle.weights_re.sum(), abs=TIGHT)
    assert found.q == pytest.approx(oracle.q)
    assert found.i2 == pytest.approx(max(0, oracle.i2))
    assert found.p_q == pytest.approx(oracle.test_homogeneity().pvalue)


@pytest.mark.parametrize("seed", range(6))
def test_tau_is_the_root_of_paule_and_mandel_and_the_prediction_interval_by_hand(seed: int) -> None:
    y, v = drawn(seed + 20)
    found, k = random_effects(y.tolist(), v.tolist()), len(y)

    def excess(tau2: float) -> float:
        w = 1 / (v + tau2)
        return float(np.sum(w * (y - np.average(y, weights=w)) ** 2)) - (k - 1)

    root = optimize.brentq(excess, 0, 100, xtol=1e-14) if excess(0) > 0 else 0.0
    assert found.tau**2 == pytest.approx(root, abs=1e-10)
    assert found.p == pytest.approx(2 * stats.t(k - 1).sf(abs(found.mean) / found.error))
    if k == 2:
        assert math.isnan(found.next_low)
        return
    half = stats.t(k - 1).ppf(0.975) * found.error * math.sqrt(k + 1)
    assert (found.next_low, found.next_high) == pytest.approx(
        (found.mean - half, found.mean + half)
    )


def test_equal_variances_make_it_the_t_test() -> None:
    y = [0.3, 1.1, 0.4, -0.2, 0.9]
    found, oracle = random_effects(y, [0.1] * 5), stats.ttest_1samp(y, 0)
    assert (found.mean, found.p) == pytest.approx((np.mean(y), oracle.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(oracle.confidence_interval(0.95)))


def test_of_equal_weights_it_predicts_the_next_normal_value() -> None:
    y = [0.3, 1.1, 0.4, -0.2, 0.9]
    found = random_effects(y, [0.1] * 5)
    half = stats.t(4).ppf(0.975) * np.std(y, ddof=1) * math.sqrt(1 + 1 / 5)
    assert (found.next_low, found.next_high) == pytest.approx(
        (np.mean(y) - half, np.mean(y) + half)
    )


def test_equal_effects_are_not_certain() -> None:
    found = random_effects([0.5, 0.5, 0.5], [0.3, 0.3, 0.3])
    assert found.error == pytest.approx(math.sqrt(0.1))
    assert found.p == pytest.approx(2 * stats.t(2).sf(0.5 / math.sqrt(0.1)))
    assert found.tau == 0


def test_of_fewer_than_two_nothing_is_said() -> None:
    for effects in ([], [1.0]):
        found = random_effects(effects, [0.1] * len(effects))
        assert found.k == len(effects)
        assert math.isnan(found.mean)
        assert math.isnan(found.p)
    with pytest.raises(ValueError, match="positive"):
        random_effects([1.0, 2.0], [0.1, 0.0])


def test_hedges_factor_makes_a_standardised_difference_unbiased() -> None:
    # The exact values of Hedges (1981), and the mean of a noncentral t.
    assert [round(hedges(m), 3) for m in (2, 4, 10)] == [0.564, 0.798, 0.923]
    for m in (3, 8, 18):
        mean = stats.nct(m, 1.0).mean()
        assert hedges(m) * mean == pytest.approx(1.0)
    assert hedges(1) == 0


def test_variances_are_shared() -> None:
    assert shared([2.0, 4.0], [4, 6]) == pytest.approx([3 / 4, 3 / 6])
    effects, variances = standardised([0.2, -0.4], [0.1, 0.2], [0.5, 0.8], [5, 5])
    j = hedges(8)
    assert effects == pytest.approx([j * 0.2 / 0.5, -j * 0.4 / 0.8])
    c = np.mean([5 * (j * 0.1 / 0.5) ** 2, 5 * (j * 0.2 / 0.8) ** 2])
    more = np.mean(effects) ** 2 * (j**2 * 8 / 6 - 1)
    assert variances == pytest.approx([c / 5 + more] * 2)


def study(
    rng: np.random.Generator, k: int, n: int, tau: float, mean: float, kind: str
) -> tuple[RandomEffects, float]:
    """Draw k workloads of unlike noise with n replicates, and what is measured on one more."""
    true = mean + tau * rng.normal(size=k + 1)
    shape = k + 1, n
    noise = np.exp(0.7 * rng.normal(size=(k + 1, 1)))
    if kind == "accuracy":
        errors = [(rng.binomial(200, 0.9, shape) - 180) / math.sqrt(18) for _ in range(2)]
    else:
        errors = [rng.normal(size=shape) for _ in range(2)]
    if kind == "log":
        logs = true[:, None] + noise * errors[0]
        own = logs[:k].var(axis=1, ddof=1).tolist()
        effects = logs.mean(axis=1).tolist()
        return random_effects(effects[:k], shared(own, [n] * k)), effects[k]
    common = 0.7 * rng.normal(size=shape)
    first = noise * (true[:, None] + common + math.sqrt(0.51) * errors[0])
    second = noise * (common + math.sqrt(0.51) * errors[1])
    d = first - second
    deviations = np.sqrt((first.var(axis=1, ddof=1) + second.var(axis=1, ddof=1)) / 2)
    means, sems = d.mean(axis=1), d.std(axis=1, ddof=1) / math.sqrt(n)
    told = standardised(*(x[:k].tolist() for x in (means, sems, deviations)), [n] * k)
    following = hedges(2 * (n - 1)) * float(means[k] / deviations[k])
    return random_effects(*told), following


def limit(rate: float, studies: int) -> float:
    return rate + 3 * math.sqrt(rate * (1 - rate) / studies)


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_few_studies_find_no_winner_where_there_is_none(tau: float) -> None:
    rng = np.random.default_rng(1)
    found = [study(rng, 5, 5, tau, 0.0, "normal")[0].p < 0.05 for _ in range(400)]
    assert np.mean(found) <= limit(0.05, 400)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "accuracy", "log"])
@pytest.mark.parametrize("tau", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("k", [3, 5, 8])
def test_a_winner_over_workloads_is_named_in_at_most_5_percent(
    k: int, n: int, tau: float, kind: str
) -> None:
    rng = np.random.default_rng(1000 * k + n)
    found = [study(rng, k, n, tau, 0.0, kind)[0].p < 0.05 for _ in range(1000)]
    assert np.mean(found) <= limit(0.05, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("tau", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("k", [3, 5, 8])
def test_intervals_cover_the_mean_and_the_next_workload(k: int, tau: float, n: int) -> None:
    rng = np.random.default_rng(1000 * k + n)
    told = [study(rng, k, n, tau, 1.0, "normal") for _ in range(1000)]
    mean = np.mean([found.low < 1.0 < found.high for found, _ in told])
    ahead = np.mean([found.next_low < following < found.next_high for found, following in told])
    assert mean >= (0.91 if n == 3 else 0.925)
    assert ahead >= (0.91 if n == 3 else 0.925)


@pytest.mark.slow
def test_own_variances_would_name_too_many_winners() -> None:
    """Why variances are shared: with each workload's own estimate it is 8 % and more."""
    rng = np.random.default_rng(3)
    named = 0
    for _ in range(2000):
        d = rng.normal(size=(5, 3))
        own = d.var(axis=1, ddof=1) / 3
        named += random_effects(d.mean(axis=1).tolist(), own.tolist()).p < 0.05
    assert named / 2000 > 0.08
