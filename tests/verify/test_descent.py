import math

import numpy as np
import pytest
import torch
from broken_rules import assert_sound, change, experiments_of, failed, scale_rate

from sgdlab.verify import bounds, descent
from sgdlab.verify.problems import Huber, Ripples
from sgdlab.verify.schedules import RisingMomentum


@pytest.mark.parametrize("experiment", experiments_of(descent, bounds), ids=lambda e: e.__name__)
def test_theory_holds(experiment):
    assert_sound(list(experiment()))


def test_curves_lie_on_their_predictions():
    for experiment in (descent.gradient_descent, descent.heavy_ball, descent.nesterov):
        for check in experiment():
            (curve,) = check.curves
            assert np.allclose(curve.values, curve.predicted, rtol=1e-9)


def test_wrong_sign(monkeypatch):
    change(monkeypatch, "SGD", maximize=True)
    assert failed(descent.gradient_descent) == {"1", "2"}
    assert failed(bounds.smooth_convex) == {"7a", "7b", "7c"}


def test_momentum_off_by_a_thousandth(monkeypatch):
    change(monkeypatch, "SGD", momentum=lambda m: 0.999 * m)
    assert failed(descent.heavy_ball) == {"3"}
    assert failed(descent.nesterov) == {"4"}
    assert failed(descent.stability) == {"6b", "6c"}


def test_heavy_ball_in_the_place_of_nesterov(monkeypatch):
    change(monkeypatch, "SGD", nesterov=False)
    assert failed(descent.nesterov) == {"4"}
    assert failed(descent.steps_to_target) == {"5b"}


def test_constant_momentum_is_not_accelerated_enough(monkeypatch):
    monkeypatch.setattr(RisingMomentum, "momentum", lambda *_: 0.5)
    assert {"31a", "31b", "31c"} == failed(bounds.accelerated)


def test_half_the_rate_breaks_the_polyak_lojasiewicz_factor(monkeypatch):
    scale_rate(monkeypatch, 0.5)
    assert "32b" in failed(bounds.polyak_lojasiewicz)


def test_huber_is_smooth_where_its_pieces_meet():
    thresholds = torch.tensor([0.5], dtype=torch.float64)
    huber = Huber(torch.zeros(1, dtype=torch.float64), 3.0, thresholds)
    w = torch.tensor([[0.5 - 1e-9], [0.5 + 1e-9], [-2.0]], dtype=torch.float64)
    assert torch.allclose(huber.slopes(w)[:, 0], 3.0 * torch.tensor([0.5, 0.5, -0.5]).double())
    assert float(huber.terms(w)[2, 0]) == pytest.approx(3.0 * 0.5 * (2.0 - 0.25))


def test_ripples_curve_by_at_most_their_smoothness():
    w = torch.linspace(-7, 7, 1001, dtype=torch.float64)
    ripples = Ripples(torch.zeros(1, dtype=torch.float64))
    bends = ripples.slopes(w).diff() / w.diff()
    assert float(bends.max()) == pytest.approx(Ripples.SMOOTHNESS, rel=1e-4)
    assert float(bends.min()) < 0
    assert math.isclose(float(ripples.terms(w).min()), 0.0, abs_tol=1e-9)
