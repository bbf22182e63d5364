import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from guarded import guarded, guarded_within
from sgdlab.analysis.statistics import censored_median, describe, holm, paired_t
from sgdlab.analysis.statistics.bootstrap import resamples

NUMBERS = st.floats(-1e3, 1e3).map(lambda x: round(x, 6))


@given(st.lists(NUMBERS, min_size=2, max_size=30).filter(lambda v: np.ptp(v) > 1e-3))
def test_describe_agrees_with_scipy(values: list[float]) -> None:
    found = describe(values)
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
    )
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=1e-9)
    assert found.median == np.median(values)


def test_describe_by_hand() -> None:
    found = describe([1.0, 2.0, 3.0, math.nan])
    assert (found.n, found.mean, found.median, found.sd) == (3, 2.0, 2.0, 1.0)
    # t(0.975, 2) = 4.302653
    assert found.ci_low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 60, 150])
@pytest.mark.parametrize("scale", [1.0, 2.0**-10])
def test_describe_has_scipys_bca_interval(n: int, scale: float) -> None:
    # Eighths: sums are exact, so that SciPy sees the same ties.
    values = scale * np.round(8 * np.random.default_rng(n).exponential(3, n)) / 8
    known = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=resamples(n), rng=np.random.default_rng(0)
    ).confidence_interval
    found = describe(list(values))
    assert (found.bca_low, found.bca_high) == pytest.approx((known.low, known.high), rel=1e-9)


def test_bca_interval_leans_to_the_long_tail_and_does_not_change() -> None:
    values = [0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 1.4, 4.0]
    found = describe(values)
    assert found.bca_high - found.mean > 1.5 * (found.mean - found.bca_low)
    assert describe(values) == found
    moved = describe([1e6 + 1e3 * value for value in values])
    assert moved.bca_low == pytest.approx(1e6 + 1e3 * found.bca_low, rel=1e-12)


def test_bca_counts_equal_means_as_ties_whatever_their_rounding() -> None:
    # 0.1 is not a binary fraction: mean and resampled means of these differ by rounding.
    tenths, eighths = [0.1, 0.2, 0.3, 0.7, 0.8], [1.0, 2.0, 3.0, 7.0, 8.0]
    fine, coarse = describe(tenths), describe(eighths)
    assert (fine.bca_low, fine.bca_high) == pytest.approx(
        (coarse.bca_low / 10, coarse.bca_high / 10), rel=1e-12
    )


def test_bca_interval_of_many_values_is_near_the_t_interval() -> None:
    values = list(np.random.default_rng(3).normal(5, 1, 20_000))
    found = describe(values)
    half = found.ci_high - found.mean
    assert found.bca_low == pytest.approx(found.ci_low, abs=0.2 * half)
    assert found.bca_high == pytest.approx(found.ci_high, abs=0.2 * half)


def test_describe_says_nothing_that_the_sample_does_not() -> None:
    assert describe([]).n == 0
    assert math.isnan(describe([]).mean)
    one = describe([0.5])
    assert (one.mean, one.median, one.smallest, one.largest) == (0.5, 0.5, 0.5, 0.5)
    assert math.isnan(one.sd)
    assert math.isnan(one.bca_low)
    constant = describe([0.1 + 0.2, 0.3, 0.3])
    assert constant.sd == 0
    assert math.isnan(constant.ci_low)
    assert math.isnan(constant.bca_high)
    assert (constant.smallest, constant.largest) == (0.3, 0.1 + 0.2)
    survivors = describe([math.inf, 2.0, -math.inf, 5.0, math.nan])
    assert (survivors.n, survivors.smallest, survivors.largest) == (2, 2.0, 5.0)


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30).filter(
        lambda pairs: np.ptp([a - b for a, b in pairs]) > 1e-3
    )
)
def test_paired_t_agrees_with_scipy(pairs: list[tuple[float, float]]) -> None:
    a, b = (list(side) for side in zip(*pairs, strict=True))
    found, known = paired_t(a, b), guarded(a, b)
    assert found.p == pytest.approx(known.p, abs=1e-9)
    ends = known.low, known.high
    assert (found.ci_low, found.ci_high) == pytest.approx(ends, rel=1e-6, abs=1e-6)
    assert found.mean == pytest.approx(np.mean(np.subtract(a, b)), abs=1e-9)
    assert found.effect_size == pytest.approx(found.mean / np.std(np.subtract(a, b), ddof=1))


@pytest.mark.parametrize("margin", [0.05, 0.4, 1.0, 5.0])
@pytest.mark.parametrize("shift", [-0.6, 0.0, 0.3])
def test_equivalence_agrees_with_scipy(margin: float, shift: float) -> None:
    rng = np.random.default_rng(5)
    for n in (2, 3, 5, 10, 30):
        a = rng.normal(0.9, 0.5, n)
        b = a + rng.normal(shift, 0.3, n)
        known = guarded_within(a, b, margin)
        assert paired_t(list(a), list(b), margin).p_equivalence == pytest.approx(known, abs=1e-12)


def test_paired_t_by_hand() -> None:
    # d = 1, 2, 3, 6: mean 3, sd √(14/3), t = 3/(1.13 sd/2) with 3 degrees of freedom.
    found = paired_t([2.0, 4.0, 6.0, 10.0], [1.0, 2.0, 3.0, 4.0], margin=10.0)
    assert (found.n, found.mean, found.note) == (4, 3.0, "")
    assert found.sd == pytest.approx(math.sqrt(14 / 3))
    assert found.effect_size == pytest.approx(1.3887301)
    assert found.p == pytest.approx(0.0910349, abs=1e-6)
    assert found.p_wilcoxon == 2 / 2**4
    assert found.p_equivalence == pytest.approx(float(stats.t.sf(7 / (1.13 * found.sd / 2), 3)))


def test_equivalence_needs_a_margin_that_is_a_positive_number() -> None:
    assert math.isnan(paired_t([1.0, 2.0], [1.5, 2.25]).p_equivalence)
    for margin in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="margin"):
            paired_t([1.0, 2.0], [1.5, 2.25], margin)


def test_a_spread_of_zero_is_that_of_the_steps_between_values() -> None:
    first, sd = [0.9, 0.8, 0.7], 0.1 / math.sqrt(12)
    for second, mean in ((first, 0.0), ([0.8, 0.7, 0.6], 0.1)):
        found = paired_t(first, second, margin=0.5)
        assert (found.mean, found.sd) == pytest.approx((mean, sd), abs=1e-12)
        error = 1.13 * sd / math.sqrt(3)
        assert found.p == pytest.approx(2 * float(stats.t.sf(mean / error, 2)), abs=1e-12)
        known = float(stats.t.sf((0.5 - mean) / error, 2))
        assert found.p_equivalence == pytest.approx(known, abs=1e-12)
        assert found.ci_high - found.mean == pytest.approx(stats.t.ppf(0.975, 2) * error)
    # Too coarse for this margin: what lies within a step is not seen.
    assert paired_t(first, first, margin=0.03).p_equivalence > 0.05


def test_a_third_of_all_examples_is_a_difference_and_one_step_twice_is_none() -> None:
    for n, decided in ((2, False), (3, True), (5, True)):
        found = paired_t([1.0] * n, [2 / 3] * n)
        assert (found.p < 0.05) == decided
        assert found.note == "the same difference for every seed"
    assert paired_t([1.0] * 5, [2 / 3] * 5).p == pytest.approx(
        2 * float(stats.t.sf(math.sqrt(5 * 12) / 1.13, 4))
    )


def test_values_that_are_all_the_same_are_equivalent_for_every_margin() -> None:
    found = paired_t([0.0] * 4, [0.0] * 4, margin=1e-9)
    assert (found.p, found.p_equivalence, found.ci_low, found.ci_high) == (1.0, 0.0, 0.0, 0.0)
    assert found.equal


def test_differences_that_cancel_up_to_rounding_have_no_mean() -> None:
    # 0.3 - 0.2 and 0.1 - 0.2 sum to -2.8e-17.
    found = paired_t([0.3, 0.1], [0.2, 0.2])
    assert (found.mean, found.p, found.effect_size) == (0.0, 1.0, 0.0)


def test_paired_t_without_spread_says_so() -> None:
    equal = paired_t([0.9, 0.8], [0.9, 0.8])
    assert (equal.p, equal.p_wilcoxon, equal.mean, equal.equal) == (1.0, 1.0, 0.0, True)
    assert equal.note == "equal for every seed"
    # 0.9 - 0.8 and 0.8 - 0.7 differ by rounding only.
    shifted = paired_t([0.9, 0.8], [0.8, 0.7])
    assert shifted.p == pytest.approx(2 * float(stats.t.sf(math.sqrt(2 * 12) / 1.13, 1)))
    assert shifted.mean == pytest.approx(0.1)
    assert shifted.note == "the same difference for every seed"
    assert shifted.p_wilcoxon == 0.5
    assert math.isnan(paired_t([0.9], [0.8]).p)
    assert paired_t([0.9], [0.8]).note == "one pair: the spread cannot be estimated"
    assert paired_t([], []).n == 0
    assert paired_t([], [], unit="replicate").note == "no replicate was completed by both"


def test_holm_by_hand() -> None:
    # sorted .01 .02 .03 .04 -> 4*.01, 3*.02, max(.06, 2*.03), max(.06, .04)
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_counts_a_pair_without_test() -> None:
    adjusted = holm([0.01, math.nan])
    assert adjusted[0] == pytest.approx(0.02)
    assert math.isnan(adjusted[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_only_raises_and_keeps_the_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    assert [adjusted[i] for i in np.argsort(p, kind="stable")] == sorted(adjusted)


@pytest.mark.parametrize("n", [1, 5, 30])
def test_holm_agrees_with_statsmodels(n: int) -> None:
    p = list(np.random.default_rng(n).random(n) ** 3)
    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]))


def test_censored_median() -> None:
    inf = math.inf
    assert censored_median([3, 1, 2]) == 2
    assert censored_median([4, 1, 2, inf]) == 3
    assert censored_median([1, 2, inf, inf]) == inf
    assert censored_median([1, inf, 2]) == 2
    assert censored_median([]) == inf
