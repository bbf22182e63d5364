"""Rates, the running average, and the noise that is left in it."""

import math

import numpy as np
import pytest
from finder_runs import section
from omegaconf import OmegaConf

from sgdlab.errors import InputError
from sgdlab.range_test.curve import LossAverage, Point, RangeCurve, Reading
from sgdlab.range_test.settings import rates, section_of


def test_rates_rise_by_equal_factors_from_end_to_end():
    found = rates(section(steps=9))
    assert found == pytest.approx([10.0**k for k in range(-7, 2)], rel=1e-12)
    assert (found[0], found[-1]) == (1e-7, 10.0)


def test_rates_rise_by_equal_differences():
    found = rates(section(start=0.1, stop=0.5, steps=5, mode="linear"))
    assert found == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_a_range_as_wide_as_floats_go():
    found = rates(section(start=1e-300, stop=1e300, steps=601))
    assert found[300] == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.98])
def test_the_average_is_the_weighted_mean(beta):
    losses = np.random.default_rng(0).normal(size=20)
    average = LossAverage(beta)
    for n, loss in enumerate(losses):
        weights = [beta ** (n - k) for k in range(n + 1)]
        expected = np.average(losses[: n + 1], weights=weights)
        assert average.add(loss) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [5, 100])
def test_the_noise_of_the_average_is_that_of_many_repetitions(n):
    rng, ends, told = np.random.default_rng(1), [], []
    for _ in range(1000):
        losses, average = rng.normal(2.0, 0.3, 100), LossAverage(0.9)
        values = np.array([average.add(loss) for loss in losses])
        ends.append(values[n - 1])
        told.append(Reading(np.arange(100) + 1.0, values, losses, 0.9).noise(n - 1))
    assert np.mean(told) == pytest.approx(np.std(ends), rel=0.06)


def test_neither_a_trend_nor_an_explosion_is_noise():
    losses = np.r_[np.linspace(3, 1, 200), 1e3, 1e9]
    reading = Reading(np.arange(202) + 1.0, losses, losses, 0.9)
    assert reading.batch_noise() < 2 / 199 * 1.1


def test_suggestions_are_read_from_the_validation_loss_where_there_is_one():
    points = (Point(0.1, 0.1, 3.0, 3.0, 1.0), Point(0.2, 0.2, 2.0, 2.5, 0.5))
    reading = RangeCurve(points, 3.0, 0.9, 0.0, None).read()
    assert reading.values.tolist() == [1.0, 0.5]
    assert reading.noise(1) == 0.0


def test_a_point_that_is_not_finite_is_not_read():
    points = (Point(0.1, 0.1, 3.0, 3.0, None), Point(0.2, 0.2, math.nan, None, None))
    assert RangeCurve(points, 3.0, 0.9, 0.0, "nan").read().lrs.tolist() == [0.1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"start": 0}, "range.start=0.0: must be a number above 0"),
        ({"start": 10.0}, "range.start=10 range.stop=10: start must be below stop"),
        ({"stop": math.inf}, "range.stop=inf"),
        ({"steps": 9}, "range.steps=9: must be a whole number from 10"),
        ({"mode": "exp"}, "range.mode=exp: valid: exponential, linear"),
        ({"smoothing": 1.0}, "range.smoothing=1.0: must be a number from 0 to below 1"),
        ({"diverge": 1.0}, "range.diverge=1.0: must be a number above 1, or null"),
    ],
)
def test_impossible_settings_are_refused(changes, says):
    typed = OmegaConf.create({"range": {**vars(section()), **changes}})
    with pytest.raises(InputError) as refused:
        section_of(typed)
    assert str(refused.value).startswith(says)
