import math

import numpy as np
import pytest
from scipy import stats

from guarded import widening
from sgdlab.analysis.statistics import EQUIVALENT, FIRST_BETTER, judge, seeds_needed, welch

A = [3.1, 2.7, 3.9, 3.3, 2.2]
B = [2.9, 2.4, 2.2, 3.0, 2.1, 2.6, 2.3, 2.75]


def wider(a: list[float], b: list[float], shift: float = 0.0) -> tuple[float, float]:
    """Return SciPy's t of ``a − b − shift`` with the widened error, and its degrees of freedom."""
    known = stats.ttest_ind(a, np.array(b) + shift, equal_var=False)
    return float(known.statistic) / widening(min(len(a), len(b))), float(known.df)


def test_p_and_interval_are_scipys_with_the_wider_error() -> None:
    found, known = welch(A, B), stats.ttest_ind(A, B, equal_var=False)
    interval = known.confidence_interval(0.95)
    t, freedom = wider(A, B)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-12)
    half = (interval.high - interval.low) / 2 * 1.13
    ends = found.mean - half, found.mean + half
    assert (found.ci_low, found.ci_high) == pytest.approx(ends, rel=1e-12)
    assert found.mean == pytest.approx(np.mean(A) - np.mean(B))
    assert found.n == 5


@pytest.mark.parametrize("margin", [0.2, 0.6, 2.0])
def test_equivalence_is_the_larger_of_two_one_sided_tests(margin: float) -> None:
    (above, freedom), (below, _) = wider(A, B, -margin), wider(A, B, margin)
    low, high = stats.t.sf(above, freedom), stats.t.cdf(below, freedom)
    assert welch(A, B, margin).p_equivalence == pytest.approx(max(low, high), rel=1e-9)


def test_the_order_of_the_runs_does_not_matter() -> None:
    assert welch(sorted(A), sorted(B)).p == pytest.approx(welch(A, B).p, rel=1e-12)


def test_equal_runs_have_the_spread_of_their_rounding() -> None:
    found = welch([0.5] * 4, [0.25] * 4)
    error = 1.13 * 0.25 / math.sqrt(12) * math.sqrt(2 / 4)
    assert found.p == pytest.approx(2 * stats.t.sf(0.25 / error, 6))
    same = welch([0.5] * 4, [0.5] * 3, margin=0.1)
    assert (same.equal, same.p_equivalence) == (True, 0.0)


def test_one_run_tells_no_spread() -> None:
    found = welch([1.0], [2.0, 3.0])
    assert math.isnan(found.p)
    assert "spread is not known" in found.note
    assert math.isnan(welch([], [2.0]).mean)


def test_a_margin_must_be_positive() -> None:
    with pytest.raises(ValueError, match="margin=0"):
        welch(A, B, 0)


def test_judged_samples_are_not_paired_by_their_numbers() -> None:
    first, second = dict(enumerate(A)), {-float(n): value for n, value in enumerate(B)}
    (found,) = judge([("a", first), ("b", second)], maximise=True, paired=False)
    t, freedom = wider(A, B)
    assert found.p_adjusted == pytest.approx(2 * stats.t.sf(abs(t), freedom))
    assert found.note == ""
    spread = math.sqrt(np.var(A, ddof=1) + np.var(B, ddof=1))
    assert found.seeds_needed == seeds_needed(np.mean(A) - np.mean(B), spread)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "ratio"), [(5, 5, 1.0), (4, 12, 3.0), (12, 4, 3.0)])
def test_no_winner_without_a_difference(n: int, m: int, ratio: float) -> None:
    rng = np.random.default_rng(0)
    named = sum(welch(*pair).p < 0.05 for pair in _pairs(rng, n, m, ratio, 0.0, 8000))
    assert 0.02 < named / 8000 < 0.05  # 4.4 % where the few have the larger spread


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 10])
def test_errors_of_unlike_shape_name_a_winner_in_less_than_6_percent(n: int) -> None:
    rng = np.random.default_rng(2)
    pairs = [(list(2 * rng.exponential(size=n) - 2), list(rng.normal(size=n))) for _ in range(8000)]
    named = sum(welch(*pair).p < 0.05 for pair in pairs)
    assert 0.04 < named / 8000 < 0.064


@pytest.mark.slow
def test_equivalence_is_rarely_declared_at_the_margin() -> None:
    rng = np.random.default_rng(1)
    pairs = _pairs(rng, 8, 8, 1.0, 1.0, 4000)
    declared = sum(welch(a, b, 1.0).p_equivalence < 0.05 for a, b in pairs)
    assert declared / 4000 < 0.06


def _pairs(rng, n, m, ratio, shift, times):
    return [(list(rng.normal(shift, ratio, n)), list(rng.normal(0, 1, m))) for _ in range(times)]


def test_words_of_verdicts() -> None:
    (found,) = judge(
        [("a", dict(enumerate([5.0, 5.1, 5.2]))), ("b", dict(enumerate([1.0, 1.2, 1.1])))],
        maximise=True, paired=False,
    )  # fmt: skip
    assert found.verdict == FIRST_BETTER
    same = dict.fromkeys(range(3), 1.0)
    (found,) = judge([("a", same), ("b", same)], maximise=True, paired=False)
    assert found.verdict == EQUIVALENT
