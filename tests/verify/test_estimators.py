"""The noise scale, the best of k, and mini-batches, against enumeration."""

import itertools
import math

import numpy as np
import pytest
from broken_rules import assert_sound

from sgdlab.analysis.budget import expected_best
from sgdlab.verify import estimators
from sgdlab.verify.estimators import NoiseScale, two_batches

VALUES = [0.7, 0.1, 0.4, 0.4, 2.0, -1.0, 0.3]


def test_best_of_k_holds():
    assert_sound(list(estimators.best_of_k()))


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [estimators.noise_scale, estimators.mini_batches])
def test_theory_holds(experiment):
    assert_sound(list(experiment()))


@pytest.mark.parametrize("k", range(1, len(VALUES) + 1))
@pytest.mark.parametrize("maximize", [False, True])
def test_expected_best_is_the_mean_over_all_subsets(k, maximize):
    best = max if maximize else min
    every = [best(subset) for subset in itertools.combinations(VALUES, k)]
    found = expected_best(VALUES, k, maximize=maximize)
    assert found == pytest.approx(math.fsum(every) / len(every), rel=1e-13)


def test_expected_best_of_one_is_the_mean_and_of_all_the_best():
    assert expected_best(VALUES, 1) == pytest.approx(np.mean(VALUES), rel=1e-15)
    assert expected_best(VALUES, len(VALUES)) == min(VALUES)


def test_expected_best_never_rises_with_the_budget():
    curve = [expected_best(VALUES, k) for k in range(1, len(VALUES) + 1)]
    assert curve == sorted(curve, reverse=True)


def test_a_trial_without_a_result_counts_as_the_worst():
    values = [1.0, math.inf, 3.0]
    assert expected_best(values, 1) == math.inf
    assert expected_best(values, 2) == pytest.approx((1 + 1 + 3) / 3)
    assert expected_best([-1.0, -math.inf, 3.0], 2, maximize=True) == pytest.approx((3 + 3 - 1) / 3)


def test_expected_best_of_many_trials_does_not_overflow():
    values = list(np.linspace(0, 1, 2000))
    # The least of k out of n equally spaced values: (n - k) / ((n - 1)(k + 1)).
    assert expected_best(values, 700) == pytest.approx(1300 / (1999 * 701), rel=1e-12)


@pytest.mark.parametrize("k", [0, -1, 8])
def test_expected_best_refuses_an_impossible_budget(k):
    with pytest.raises(ValueError, match=f"k={k}: must be from 1 to the number of trials, 7"):
        expected_best(VALUES, k)


def test_expected_best_refuses_nan():
    with pytest.raises(ValueError, match="inf, not NaN"):
        expected_best([1.0, math.nan], 1)


def _squares(gradients: np.ndarray, batch: int) -> list[float]:
    rows = itertools.combinations(range(len(gradients)), batch)
    return [float(np.square(gradients[list(subset)].mean(axis=0)).sum()) for subset in rows]


@pytest.mark.parametrize(("small", "large"), [(1, 2), (2, 5), (3, 7)])
def test_two_batches_are_exact_over_all_batches(small, large):
    gradients = np.random.default_rng(0).standard_normal((7, 3)) + 1.0
    found = two_batches(_squares(gradients, small), _squares(gradients, large), small, large, 7)
    assert found.square == pytest.approx(np.square(gradients.mean(axis=0)).sum(), rel=1e-12)
    assert found.trace == pytest.approx(gradients.var(axis=0, ddof=1).sum(), rel=1e-12)
    assert found.scale == pytest.approx(found.trace / found.square)


def test_independent_draws_need_no_correction():
    # E|g|² = |G|² + trΣ/B with |G|² = 2 and trΣ = 30.
    found = two_batches(2 + 30 / 4, 2 + 30 / 10, 4, 10)
    assert (found.square, found.trace) == pytest.approx((2.0, 30.0))


def test_norms_are_averaged_before_they_are_divided():
    one, other = two_batches(5.0, 2.0, 1, 4), two_batches(11.0, 2.0, 1, 4)
    both = two_batches([5.0, 11.0], 2.0, 1, 4)
    assert both.trace == pytest.approx((one.trace + other.trace) / 2)
    assert both.square == pytest.approx((one.square + other.square) / 2)


def test_too_much_noise_to_tell():
    assert math.isnan(NoiseScale(3.0, -0.1).scale)
    assert math.isnan(NoiseScale(3.0, 0.0).scale)


@pytest.mark.parametrize("sizes", [(0, 2, None), (3, 3, None), (4, 2, None), (1, 9, 8)])
def test_two_batches_refuse_impossible_sizes(sizes):
    with pytest.raises(ValueError, match="batches of"):
        two_batches(1.0, 1.0, *sizes)


def test_two_batches_refuse_no_norms():
    with pytest.raises(ValueError, match="no gradient norms"):
        two_batches([], 1.0, 1, 2)
