"""A run that starts trained is not measured by its start."""

import math

import numpy as np
import pytest
from hand_runs import config, write_run

from sgdlab.diagnosis import EarlyWarnings, read_run
from sgdlab.diagnosis.blow_up import explodes
from sgdlab.diagnosis.chance import harmless
from sgdlab.diagnosis.plateau import plateau

AUTO = {"loss": {"_target_": "sgdlab.losses.auto.auto"}}


@pytest.mark.parametrize(
    ("target", "metric", "half"),
    [
        ("sgdlab.losses.auto.auto", "accuracy", math.log(2) / 2),
        ("sgdlab.losses.cross_entropy.CrossEntropy", "accuracy", math.log(2) / 2),
        ("sgdlab.losses.auto.auto", "rmse", 0.5),
        ("sgdlab.losses.mse.MeanSquaredError", "accuracy", 0.125),
        ("sgdlab.losses.auto.auto", "gap", 0.0),
        ("mine.Poisson", "rmse", 0.0),
    ],
)
def test_half_the_loss_of_a_constant(target, metric, half):
    assert harmless({"loss": {"_target_": target}}, metric) == pytest.approx(half)


def started_at(tmp_path, start, end, settings=None):
    """Return a run whose loss goes from one value to another, in equal factors."""
    loss = np.geomspace(start, end, 120)
    ends = np.geomspace(start, end, 11)
    made = config(**(settings or AUTO))
    return read_run(
        write_run(tmp_path / "run", loss, settings=made, evaluations=[(v, v) for v in ends])
    )


def test_a_trained_start_that_rises_and_stays_harmless_does_not_explode(tmp_path):
    assert explodes(started_at(tmp_path, 2e-4, 2e-3)) is None


def test_it_explodes_where_it_ends_worse_than_a_constant(tmp_path):
    assert explodes(started_at(tmp_path, 2e-4, 5.0)) is not None


def test_a_random_start_is_measured_as_before(tmp_path):
    assert explodes(started_at(tmp_path, 2.3, 6.0)) is not None


@pytest.mark.parametrize(("start", "found"), [(2e-4, False), (2.3, True)])
def test_a_trained_start_need_not_learn(tmp_path, start, found):
    assert (plateau(started_at(tmp_path, start, start * 1.001)) is not None) == found


def test_a_loss_that_is_not_known_is_measured_by_its_start(tmp_path):
    unknown = {"loss": {"_target_": "mine.Loss"}}
    assert explodes(started_at(tmp_path, 2e-4, 2e-3, unknown)) is not None


@pytest.mark.parametrize(("harmless", "warns"), [(0.0, True), (0.35, False)])
def test_early_warnings_know_it_too(harmless, warns):
    warnings = EarlyWarnings(500, harmless=harmless)
    lines = [
        warnings.step(step, loss, 0.1, 1.0)
        for step, loss in enumerate(np.geomspace(2e-4, 2e-3, 400), start=1)
    ]
    assert any(lines) == warns
