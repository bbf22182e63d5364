"""When there is a suggestion, when there is none, and what is said."""

import numpy as np
import pytest
from finder_runs import curve_of, section

from sgdlab.range_test.curve import LossAverage, Point, RangeCurve
from sgdlab.range_test.result import RangeResult, result_of
from sgdlab.range_test.settings import rates
from trainer_runs import built


def found(
    losses, beta: float = 0.9, stopped: str | None = None, optimum: float = 0.0
) -> RangeResult:
    average = LossAverage(beta)
    points = tuple(
        Point(lr, lr, float(loss), average.add(float(loss)), None)
        for lr, loss in zip(rates(section()), losses, strict=False)
    )
    curve = RangeCurve(points, float(losses[0]), beta, optimum, stopped)
    return result_of("x", curve, section(), lambda lr: lr)


@pytest.mark.parametrize(("beta", "most"), [(0.0, 2), (0.5, 2), (0.9, 0)])
def test_noise_is_no_fall(beta, most):
    results = [found(np.random.default_rng(s).normal(2.0, 0.5, 100), beta) for s in range(150)]
    assert sum(result.take is not None for result in results) <= most
    assert "raise range.stop=10" in results[0].why_none


def test_a_fall_in_the_same_noise_is_one():
    rng = np.random.default_rng(0)
    losses = rng.normal(2.0, 0.1, 100) - np.linspace(-4, 1, 100).clip(0)
    result = found(losses)
    assert result.why_none is None
    assert 1e-3 < result.take < 10


def test_a_fall_of_less_than_a_percent_is_none_unless_the_optimum_is_known():
    losses = np.r_[np.full(60, 100.0), np.full(40, 99.5)]
    assert found(losses, 0.0).take is None
    assert found(losses, 0.0, optimum=99.0).take is not None


def test_a_loss_that_rises_at_once():
    result = found(1 + np.arange(30) ** 2, stopped="it exploded")
    assert result.take is None
    assert result.why_none.endswith(
        "(it exploded); lower range.start=1e-07, or take a larger batch"
    )
    assert "rose before it had fallen" in result.why_none


def test_too_few_points():
    assert "lower range.start" in found([1.0, 3.0, 9.0], stopped="it exploded").why_none


def test_no_point_at_all():
    curve = RangeCurve((), float("nan"), 0.9, 0.0, "the loss is nan at the initial weights")
    result = result_of("x", curve, section(), lambda lr: lr)
    assert result.why_none.startswith("the loss is nan at the initial weights: no suggestion")


def test_a_loss_that_still_falls_at_the_end_is_said():
    result = found(np.r_[np.full(60, 2.0), np.linspace(2, 1, 40)])
    assert "still fell at the last rate" in result.notes[0]


def test_a_loss_that_falls_from_the_first_rate_on_is_said():
    result = found(np.r_[np.linspace(2, 1, 15), np.linspace(1, 3, 85)], 0.0)
    assert "lower range.start=1e-07" in result.notes[0]


def test_diverging_at_once_and_never_moving():
    high = curve_of(built("dataset=wine", "model=linear"), start=1e3, stop=1e9)
    result = result_of("x", high, section(start=1e3, stop=1e9), lambda lr: lr)
    assert "lower range.start=1000" in result.why_none
    low = curve_of(built("dataset=wine", "model=linear"), stop=1e-6)
    result = result_of("x", low, section(stop=1e-6), lambda lr: lr)
    assert "raise range.stop=1e-06" in result.why_none
