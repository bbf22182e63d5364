"""The four rules on curves whose answer is known by hand."""

import math

import numpy as np
import pytest

from sgdlab.range_test import suggest
from sgdlab.range_test.suggest import (
    RULES,
    falling_lengths,
    median,
    minimum,
    slide,
    steepest,
    valley,
)

LRS = np.logspace(-7, 1, 81)
"""Ten points a decade."""

X = np.log10(LRS)


def at(exponent: float) -> float:
    return pytest.approx(10.0**exponent, rel=1e-9)


def falls_between(left: float, right: float, blows_up: float = 0.5) -> np.ndarray:
    """A loss of 2, from 10^left to 10^right falling to 1 in a straight line, then exploding."""
    falling = np.clip((X - left) / (right - left), 0, 1)
    exploding = np.clip((X - right - blows_up) / 0.5, 0, None)
    return 2 - falling + 10 * exploding**2


def test_steepest_is_the_inflection_of_a_sigmoid():
    assert steepest(LRS, -np.tanh(2 * (X + 2.5))) == at(-2.5)


def test_steepest_looks_no_further_than_the_minimum():
    values = falls_between(-4, -2)
    values[-3:] = [900, 500, 3]  # it explodes and comes back
    assert at(-4) != steepest(LRS, values)
    assert steepest(LRS, values) < 10**-1.9


def test_steepest_is_by_the_logarithm_of_the_rate():
    lrs = np.linspace(0.01, 1.0, 200)
    values = 1 / (1 + (lrs / 0.1) ** 4)  # by ln lr a logistic function, steepest at .1
    assert steepest(lrs, values) == pytest.approx(0.1, rel=0.05)
    by_rate = lrs[np.argmin(np.gradient(values, lrs))]
    assert by_rate == pytest.approx(0.1 * 0.6**0.25, rel=0.05)


def test_minimum_is_a_tenth():
    assert minimum(LRS, (X + 1.5) ** 2) == at(-2.5)


def test_valley_is_two_thirds_down_a_straight_fall():
    values = falls_between(-4, -1)
    values[X < -4.05] = np.linspace(1.5, 1.9, int((X < -4.05).sum()))  # rises before it falls
    # 31 points fall: s + 2 * 30 / 3 = s + 20 of them, two decades on.
    assert valley(LRS, values) == at(-2)


def test_valley_counts_falling_points_only():
    values = np.array([5.0, 1.0, 9.0, 8.0, 7.5, 7.9, 7.0, 6.0, 20.0])
    # 9, 8, 7.5, 7, 6 are five; the five points up to 6 begin with 7.5.
    lrs = np.arange(1.0, 10.0)
    assert falling_lengths(values).tolist() == [1, 2, 1, 2, 3, 3, 4, 5, 1]
    assert valley(lrs, values) == lrs[3 + 2 * 4 // 3]


def test_falling_lengths_are_those_of_the_quadratic_algorithm():
    values = np.random.default_rng(0).integers(0, 30, 120).astype(float)
    expected = [1] * len(values)
    for i in range(1, len(values)):  # as fastai computes them
        for j in range(i):
            if values[i] < values[j] and expected[i] < expected[j] + 1:
                expected[i] = expected[j] + 1
    assert falling_lengths(values).tolist() == expected


def test_slide_ends_a_full_interval_left_of_where_the_fall_begins():
    # The slope is -1/2 by decade from -4 to -2. From -2, where r and l differ, r goes left until it
    # lies on the fall with l: r = -2.8, and l = -4.0 is the first that differs no more.
    values = falls_between(-4, -2)
    values[X > -1.95] += 1e-9  # the minimum is its left end
    found = slide(LRS, values)
    assert found == slow_slide(LRS, values)
    assert 10**-4.1 < found < 10**-2.9


def slow_slide(lrs: np.ndarray, values: np.ndarray) -> float | None:
    """fastai's loop over points, 12 apart, with slopes as shares of the fall."""
    gradient = np.gradient(values) * 10 / (values[0] - values.min())
    r = int(np.argmin(values))
    found = None
    while r - 12 >= 0 and abs(gradient[r] - gradient[r - 12]) > 0.04:
        found = float(lrs[r - 12])
        r -= 1
    return found


@pytest.mark.parametrize("seed", range(5))
def test_slide_is_fastais_loop(seed):
    rng = np.random.default_rng(seed)
    values = falls_between(-5, -1) + np.cumsum(rng.normal(0, 0.01, len(LRS)))
    assert slide(LRS, values) == slow_slide(LRS, values)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_unit_and_zero_of_the_loss_do_not_matter(rule):
    rng = np.random.default_rng(3)
    values = falls_between(-4, -1) + rng.normal(0, 0.01, len(LRS))
    assert rule(LRS, values) is not None
    assert rule(LRS, 1000 * values - 7) == rule(LRS, values)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_loss_that_only_rises_gives_nothing(rule):
    assert rule(LRS, np.exp(X)) is None


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_constant_loss_gives_nothing(rule):
    assert rule(LRS, np.ones_like(LRS)) is None


def test_the_median_is_taken_in_logarithms_of_what_there_is():
    assert median({"a": 1e-1, "b": 1e-3, "c": None, "d": 1e-2}) == pytest.approx(1e-2)
    assert median({"a": 1e-1, "b": 1e-3, "c": 1e-9, "d": 1.0}) == pytest.approx(1e-2)
    assert median(dict.fromkeys(RULES)) is None


def test_the_interval_is_fastais():
    assert pytest.approx(15 * 8 / 99, abs=0.02) == suggest.INTERVAL
    assert (
        pytest.approx(math.ceil(0.005 * 99 / 8 / 1.5 * 100) / 100, abs=0.011) == suggest.TOLERANCE
    )
