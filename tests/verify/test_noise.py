import math

import numpy as np
import pytest
from broken_rules import assert_sound, change, experiments_of, failed, scale_rate

from sgdlab.averaging import Polyak
from sgdlab.schedules.inverse_sqrt import InverseSqrt
from sgdlab.schedules.inverse_time import InverseTime
from sgdlab.verify import noise

LONG = (noise.convex_lipschitz,)


@pytest.mark.parametrize(
    "experiment",
    [pytest.param(e, marks=pytest.mark.slow if e in LONG else ()) for e in experiments_of(noise)],
    ids=lambda e: e.__name__,
)
def test_theory_holds(experiment):
    assert_sound(list(experiment()))


def test_tolerance_is_five_standard_errors_of_a_simulation():
    random = np.random.default_rng(0)
    rho, length, repetitions = 0.8, 200, 20_000
    x = random.standard_normal(repetitions)
    total = np.zeros(repetitions)
    for _ in range(length):
        total += x**2
        x = rho * x + math.sqrt(1 - rho**2) * random.standard_normal(repetitions)
    of_one = float((total / length).std())
    # The formula is for long means: here it is 2 % too large.
    assert noise.five_errors(1, rho**2, length) == pytest.approx(5 * of_one, rel=0.04)


def test_rate_a_tenth_too_large(monkeypatch):
    scale_rate(monkeypatch, 1.1)
    assert failed(noise.floor) == {"8a", "8b", "8c", "8d"}


def test_momentum_off(monkeypatch):
    change(monkeypatch, "SGD", momentum=lambda m: 0.98 * m)
    assert failed(noise.heavy_ball_floor) == {"9a", "9b", "9c"}


def test_dampening_moves_the_floor(monkeypatch):
    change(monkeypatch, "SGD", dampening=0.5)
    assert failed(noise.heavy_ball_floor) == {"9a", "9b", "9c"}


def test_schedule_a_step_late(monkeypatch):
    sound = InverseTime.factor
    monkeypatch.setattr(InverseTime, "factor", lambda self, step, *a: sound(self, step + 1, *a))
    assert "10a" in failed(noise.inverse_time)


def test_average_of_the_last_half_only(monkeypatch):
    monkeypatch.setattr(Polyak, "due", lambda self, step, total, _: step > total / 2)
    assert failed(noise.averaging) == {"11a", "11b"}


@pytest.mark.slow
def test_wrong_sign_on_a_function_that_is_not_convex(monkeypatch):
    change(monkeypatch, "SGD", maximize=True)
    assert failed(noise.non_convex) == {"33a", "33b"}


@pytest.mark.slow
def test_constant_rate_stalls_on_the_absolute_value(monkeypatch):
    monkeypatch.setattr(InverseSqrt, "factor", lambda *_: 0.1)
    assert "12a" in failed(noise.convex_lipschitz)
