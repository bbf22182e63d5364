import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sgdlab.analysis.statistics import signed_rank, smallest_signed_rank
from sgdlab.analysis.statistics.signed_rank import EXACT

TENTHS = st.lists(st.integers(-9, 9).filter(bool), min_size=1, max_size=11)


@given(st.lists(st.floats(-1e3, 1e3).filter(bool), min_size=1, max_size=45, unique_by=abs))
def test_agrees_with_scipys_exact_test_without_ties(differences: list[float]) -> None:
    known = stats.wilcoxon(differences, method="exact").pvalue
    assert signed_rank(np.asarray(differences)) == pytest.approx(known, rel=1e-9)


@given(TENTHS)
def test_agrees_with_all_sign_changes_where_there_are_ties(differences: list[int]) -> None:
    d = np.asarray(differences, dtype=float)
    ranks = stats.rankdata(np.abs(d))
    signs = (np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1
    sums, seen = signs @ ranks, ranks[d > 0].sum()
    known = min(1.0, 2 * min(np.mean(sums <= seen + 1e-9), np.mean(sums >= seen - 1e-9)))
    assert signed_rank(d) == pytest.approx(known, rel=1e-9)


def test_differences_of_zero_are_left_out() -> None:
    d = np.array([0.0, 1.0, 2.0, -0.5, 0.0, 3.0])
    assert signed_rank(d) == signed_rank(d[d != 0])
    assert signed_rank(np.zeros(4)) == 1.0


def test_ties_are_equal_up_to_rounding() -> None:
    # Differences of accuracies: 0.9 - 0.8 and 0.8 - 0.7 are one tenth, both, and 0.3 - 0.3 is 0.
    a, b = np.array([0.9, 0.8, 0.5, 0.1 + 0.2, 0.9]), np.array([0.8, 0.7, 0.6, 0.3, 0.5])
    assert signed_rank(a - b, 1e-14) == signed_rank(np.array([1.0, 1.0, -1.0, 0.0, 4.0]))
    assert signed_rank(a - b, 1e-14) != signed_rank(a - b)


@pytest.mark.parametrize("n", [1, 2, 5, 10, 40])
def test_cannot_be_below_two_in_two_to_the_n(n: int) -> None:
    one_sided = np.arange(1.0, n + 1)
    assert signed_rank(one_sided) == pytest.approx(2 / 2**n, rel=1e-9)
    assert signed_rank(-one_sided) == signed_rank(one_sided)
    assert smallest_signed_rank(n) == 2 / 2**n
    one_sided[0] *= -1
    assert signed_rank(one_sided) > 2 / 2**n or n == 1


def test_with_ten_pairs_holm_over_26_comparisons_never_rejects() -> None:
    assert smallest_signed_rank(10) == pytest.approx(0.002, abs=5e-5)
    assert 25 * smallest_signed_rank(10) < 0.05 < 26 * smallest_signed_rank(10)
    assert smallest_signed_rank(5) > 0.05
    assert np.isnan(smallest_signed_rank(0))


def test_many_differences_use_the_normal_approximation() -> None:
    d = np.round(np.random.default_rng(2).normal(0.2, 1, EXACT + 50), 1)
    known = stats.wilcoxon(d[d != 0], method="asymptotic", correction=False).pvalue
    assert signed_rank(d) == pytest.approx(known, rel=1e-9)
    exact = signed_rank(d[:EXACT])
    assert exact == pytest.approx(stats.wilcoxon(d[:EXACT], method="asymptotic").pvalue, rel=0.05)
