"""Gaps, slopes, figures and the classes on real problems."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from broken_rules import assert_sound, experiments_of
from scipy import linalg, optimize

from sgdlab.datasets.base import Split
from sgdlab.datasets.breast_cancer import breast_cancer
from sgdlab.datasets.diabetes import diabetes
from sgdlab.report.charts.style import context
from sgdlab.verify import convergence, modes
from sgdlab.verify.case import VerifyCurve
from sgdlab.verify.gaps import curves, gaps, slope
from sgdlab.verify.lab import train
from sgdlab.verify.plots import draw, figure_of


@pytest.mark.slow
@pytest.mark.parametrize("experiment", experiments_of(convergence), ids=lambda e: e.__name__)
def test_classes_hold(experiment):
    found = list(experiment())
    assert_sound(found)
    # Three kinds of batch and three schedules, each with and without the average.
    names = {check.experiment.partition(":")[0] for check in found}
    for mode in ("batch", "mini-batch", "pure SGD"):
        for schedule in ("constant", "1/√t", "1/t"):
            assert {f"{mode}, {schedule}", f"{mode}, {schedule}, averaged"} <= names


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def test_ridge_optimum_is_that_of_the_normal_equations():
    loaded = diabetes()
    x, y = _standard(loaded.x.double().numpy()), _standard(loaded.y.double().numpy().reshape(-1))
    w = linalg.solve(x.T @ x / len(x) + 0.1 * np.eye(10), x.T @ y / len(x), assume_a="pos")
    best = 0.5 * np.mean((x @ w - y) ** 2) + 0.05 * w @ w
    run = train("dataset=least_squares", "dataset.l2=0.1", "optimizer=sgd", "max_steps=1")
    # The product rounds the standardised data to float32.
    assert run.run.data.problem.optimum == pytest.approx(best, rel=1e-6)
    rows = run.run.data.train.x.numpy()
    assert convergence._scipy_optimum("ridge", rows) == pytest.approx(best, rel=1e-6)


def test_logistic_optimum_is_that_of_newtons_method_in_scipy():
    loaded = breast_cancer()
    x = np.column_stack([_standard(loaded.x.double().numpy()), np.ones(569)])
    t = 2.0 * loaded.y.numpy() - 1

    def value(w: np.ndarray) -> float:
        return float(np.log1p(np.exp(-t * (x @ w))).mean() + 0.05 * w @ w)

    def first(w: np.ndarray) -> np.ndarray:
        return -(x * (t / (1 + np.exp(t * (x @ w))))[:, None]).mean(axis=0) + 0.1 * w

    def second(w: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-x @ w))
        return (x * (p * (1 - p))[:, None]).T @ x / len(x) + 0.1 * np.eye(31)

    best = optimize.minimize(value, np.zeros(31), jac=first, hess=second, method="trust-exact").fun
    run = train("dataset=logistic", "dataset.l2=0.1", "optimizer=sgd", "max_steps=1")
    assert run.run.data.problem.optimum == pytest.approx(best, rel=1e-6)
    rows = run.run.data.train.x.numpy()
    assert convergence._scipy_optimum("logistic", rows) == pytest.approx(best, rel=1e-6)


def test_gaps_are_those_that_a_run_logs():
    run = train(
        "dataset=quadratic", "dataset.dim=3", "dataset.n_samples=1", "optimizer=sgd", "lr=0.5",
        "max_steps=20", "eval.every=1", "average=polyak",
    )  # fmt: skip
    logged = {(row[0], row[4]): row[-1] for row in run.evaluations if row[5] == "train"}
    found = gaps(run, run.iterates)
    assert found == pytest.approx([logged[step, "raw"] for step in range(21)], rel=1e-12)
    means = curves(run)
    assert means.steps[-1] == 20
    for step, value in zip(means.steps, means.average, strict=True):
        assert value == pytest.approx(logged[int(step), "average"], rel=1e-12)


def test_slope_of_a_power_law():
    t = np.array([1.0, 10.0, 100.0])
    assert slope(t, 3 * t**-0.7) == pytest.approx(-0.7)
    assert math.isnan(slope(t, np.array([1.0, 0.0, 1.0])))


def test_modes_measure_the_variance_of_mini_batches():
    mode = convergence.Mode("mini-batch", "100", 0.5, 5)
    config = modes.config_of(*convergence.settings("logistic", mode, 0.1))
    run = modes.build_run(config)
    x = run.data.train.x
    # At w = 0 the gradient of log(1 + exp(z·w)) is z/2.
    rows = x / 2
    order = [part for ((part, _),) in run.plan.epoch(Split(x, x), 0, 0)]
    expected = torch.stack([((part / 2).mean(0) - rows.mean(0)).square().sum() for part in order])
    assert modes.variance(run) == pytest.approx(float(expected.mean()), rel=1e-12)


CURVES = [
    VerifyCurve("fitted", [1.0, 10.0, 100.0], [1.0, 0.1, 0.02], slope=-1.0),
    VerifyCurve("exact", [1.0, 2.0, 3.0], [1.0, 0.5, 0.0], [1.0, 0.5, 0.25], panel="other"),
]


def test_a_figure_has_what_was_measured_and_what_was_predicted():
    with context():
        figure = figure_of("family", CURVES)
    first, second = figure.axes
    assert (first.get_xscale(), second.get_xscale()) == ("log", "linear")
    assert {first.get_yscale(), second.get_yscale()} == {"log"}
    assert second.get_title(loc="left") == "other"
    measured, theory = first.lines
    assert measured.get_ydata() == pytest.approx([1.0, 0.1, 0.02])
    assert theory.get_xdata() == pytest.approx([10.0, 100.0])
    assert theory.get_ydata() == pytest.approx([0.2, 0.02])
    measured, theory = second.lines
    assert np.isnan(measured.get_ydata()[-1])
    assert theory.get_ydata() == pytest.approx([1.0, 0.5, 0.25])


def test_a_figure_is_well_formed_and_the_same_every_time(tmp_path):
    files = [tmp_path / "one.svg", tmp_path / "two.svg"]
    assert all(draw(file, "family", CURVES) for file in files)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert ET.parse(files[0]).getroot().tag.endswith("svg")


def test_without_curves_there_is_no_figure(tmp_path):
    assert not draw(tmp_path / "none.svg", "family", [])
    assert not draw(tmp_path / "none.svg", "family", [VerifyCurve("zero", [1.0], [0.0])])
    assert not (tmp_path / "none.svg").exists()
