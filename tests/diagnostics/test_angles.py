"""Cosines against NumPy, and where geometry fixes them."""

import math

import numpy as np
import pytest
from harness import begun, named

from sgdlab.diagnostics.angles import Angles


def _cosine(a: list, b: list) -> float:
    u, v = (np.concatenate([t.double().numpy().ravel() for t in side]) for side in (a, b))
    return float(u @ v / math.sqrt((u @ u) * (v @ v)))


@pytest.mark.parametrize("optimizer", ["nesterov", "adamw", "lbfgs"])
def test_cosines_agree_with_numpy(optimizer: str) -> None:
    settings = (f"optimizer={optimizer}", "dtype=float64", "accumulate=3", "clip_norm=0.1")
    steps, columns = begun(angles := Angles(), *settings, "model.dropout=0.2")
    old, moment = steps.take(), steps.uneven()
    found = named(columns, steps.measure(angles, moment))
    assert moment.previous is not None
    assert moment.previous.data_ptr() != old.gradient.data_ptr()
    downhill = [-g for g in moment.gradients]
    change = [a - b for a, b in zip(moment.after, moment.before, strict=True)]
    assert found["grad_cosine"] == pytest.approx(_cosine([moment.gradient], [moment.previous]))
    assert found["update_cosine"] == pytest.approx(_cosine(downhill, change))


def test_plain_descent_goes_along_the_gradient() -> None:
    plain = ("optimizer=sgd", "optimizer.weight_decay=0.0", "dtype=float64", "clip_norm=0.01")
    steps, columns = begun(angles := Angles(), *plain)
    found = named(columns, steps.measure(angles, steps.take()))
    assert found["update_cosine"] == pytest.approx(1.0, abs=1e-9)
    assert math.isnan(found["grad_cosine"]), "there is no step before the first"


@pytest.mark.parametrize(("stiffness", "cosine"), [(0.5, 1.0), (1.5, -1.0)])
def test_gradients_turn_round_across_a_valley(stiffness: float, cosine: float) -> None:
    """On ``h w²/2`` a gradient is ``1 - lr·h`` times the one before."""
    settings = ("dataset=quadratic", "dataset.eigenvalues=[1.0]", "optimizer=sgd")
    rest = ("schedule=constant", "optimizer.weight_decay=0.0", f"lr={stiffness}", "dtype=float64")
    steps, columns = begun(angles := Angles(), *settings, *rest)
    steps.take()
    found = named(columns, steps.measure(angles, steps.take()))
    assert found["grad_cosine"] == pytest.approx(cosine)


def test_without_gradient_there_is_no_angle() -> None:
    settings = ("dataset=quadratic", "dataset.start=0.0", "optimizer=sgd")
    steps, columns = begun(angles := Angles(), *settings, "optimizer.weight_decay=0.0")
    steps.take()
    assert steps.measure(angles, steps.take()).isnan().all()
    assert columns == ("grad_cosine", "update_cosine")
