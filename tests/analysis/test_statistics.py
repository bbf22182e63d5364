import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sgdlab.analysis.statistics import censored_median, describe, holm, paired_t

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


def test_describe_says_nothing_that_the_sample_does_not() -> None:
    assert describe([]).n == 0
    assert math.isnan(describe([]).mean)
    one = describe([0.5])
    assert (one.mean, one.median) == (0.5, 0.5)
    assert math.isnan(one.sd)
    constant = describe([0.1 + 0.2, 0.3, 0.3])
    assert constant.sd == 0
    assert math.isnan(constant.ci_low)


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30).filter(
        lambda pairs: np.ptp([a - b for a, b in pairs]) > 1e-3
    )
)
def test_paired_t_agrees_with_scipy(pairs: list[tuple[float, float]]) -> None:
    a, b = (list(side) for side in zip(*pairs, strict=True))
    found, known = paired_t(a, b), stats.ttest_rel(a, b)
    low, high = known.confidence_interval(0.95)
    assert found.p == pytest.approx(known.pvalue, abs=1e-9)
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)
    assert found.mean == pytest.approx(np.mean(np.subtract(a, b)), abs=1e-9)


def test_paired_t_without_spread_is_no_verdict() -> None:
    equal = paired_t([0.9, 0.8], [0.9, 0.8])
    assert (equal.p, equal.mean) == (1.0, 0.0)
    # 0.9 - 0.8 and 0.8 - 0.7 differ by rounding only.
    shifted = paired_t([0.9, 0.8], [0.8, 0.7])
    assert math.isnan(shifted.p)
    assert shifted.mean == pytest.approx(0.1)
    assert "same difference" in shifted.note
    assert math.isnan(paired_t([0.9], [0.8]).p)
    assert paired_t([], []).n == 0


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


def test_censored_median() -> None:
    inf = math.inf
    assert censored_median([3, 1, 2]) == 2
    assert censored_median([4, 1, 2, inf]) == 3
    assert censored_median([1, 2, inf, inf]) == inf
    assert censored_median([1, inf, 2]) == 2
    assert censored_median([]) == inf
