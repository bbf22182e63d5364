"""Paths and level lines against closed forms; where parameters are, against gradient descent."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from cli_runs import QUICK, Cli
from lesson_files import RunFiles

from sgdlab.config.compose.one import compose_run
from sgdlab.datasets.two_wells import two_wells
from sgdlab.lessons.picture import surface_of
from sgdlab.report.contour import Path2D, contour, levels_of, window_of

POSITION = "+diagnostics.quantities.position._target_=sgdlab.diagnostics.position.Position"
DESCENT = ("optimizer=sgd", "schedule=constant", "dtype=float64", "batch_size=1", "max_steps=6")


def test_the_position_is_that_before_each_update(sgdlab: Cli):
    """On a diagonal quadratic gradient descent multiplies each coordinate by 1 - lr h."""
    result = sgdlab(
        "train", "dataset=quadratic", "dataset.eigenvalues=[1.0,0.25]", "dataset.n_samples=1",
        *DESCENT, "lr=0.5", "diagnostics.every=1", POSITION, "hydra.run.dir=run",
    )  # fmt: skip
    assert result.code == 0, result.err
    run = RunFiles(sgdlab.folder / "run")
    np.testing.assert_allclose(run.steps("w.0"), 0.5 ** np.arange(6), rtol=1e-12)
    np.testing.assert_allclose(run.steps("w.1"), 0.875 ** np.arange(6), rtol=1e-12)


def test_the_position_in_a_larger_model_is_refused(sgdlab: Cli):
    result = sgdlab("train", *QUICK, POSITION, "hydra.run.dir=run")
    assert result.code == 2
    assert "models of up to 3 parameters" in result.err
    assert result.err.count("\n") == 1
    assert not (sgdlab.folder / "run").exists()


@pytest.mark.parametrize("name", ["beale", "rosenbrock", "two_wells"])
def test_the_surface_is_the_function(name: str):
    formulas = {
        "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
        "beale": lambda x, y: sum(
            (c - x * (1 - y**k)) ** 2 for k, c in enumerate((1.5, 2.25, 2.625), 1)
        ),
        "two_wells": wells,
    }
    window = (-1.5, 3.5, -1.0, 2.0)
    values, minima = surface_of(compose_run(f"dataset={name}"), window)
    x, y = np.linspace(-1.5, 3.5, values.shape[1]), np.linspace(-1, 2, values.shape[0])
    expected = formulas[name](x[None, :], y[:, None])
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)
    for point in minima:
        assert formulas[name](*point) == 0
    assert len(minima) == (2 if name == "two_wells" else 1)


def wells(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    p, q = 20 * ((x + 1) ** 2 + y * y), 0.5 * ((x - 1) ** 2 + y * y)
    return p * q / (p + q)


def test_two_wells_are_as_documented():
    examples = two_wells(start=[0.3, -0.4], noise=0.0, n_samples=3, projection="none", radius=1.0)
    assert examples.problem is not None
    function = examples.problem.build().double().eval()
    function(examples.x.double()).mean().backward()
    w = np.array([0.3, -0.4])
    one = np.array([1.0, 0.0])
    p, q = 20 * ((w + one) ** 2).sum(), 0.5 * ((w - one) ** 2).sum()
    slope = (q**2 * 40 * (w + one) + p**2 * (w - one)) / (p + q) ** 2
    np.testing.assert_allclose(function.w.grad.numpy(), slope, rtol=1e-12)

    def value(point: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(function, {"w": point}, torch.zeros(1, 1))[0]

    for x, curvature in ((-1.0, 40.0), (1.0, 1.0)):
        hessian = torch.autograd.functional.hessian(value, torch.tensor([x, 0.0]).double())
        np.testing.assert_allclose(hessian, curvature * np.eye(2), atol=1e-9)
    line = np.linspace(-1, 1, 200001)
    third = 40 ** (1 / 3)
    heights = wells(line, np.zeros_like(line))
    assert line[heights.argmax()] == pytest.approx((1 - third) / (1 + third), abs=1e-4)
    assert heights.max() == pytest.approx(80 / (1 + third) ** 3, rel=1e-6)


def test_level_lines_are_evenly_spaced_logarithms_within_the_values():
    x = np.linspace(-2, 2, 101)
    values = x[None, :] ** 2 + 25 * x[:, None] ** 2
    levels = levels_of(values)
    ratios = levels[1:] / levels[:-1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
    assert values[values > 0].min() < levels[0] < levels[-1] < values.max()


def test_the_window_holds_every_finite_point():
    one = Path2D("one", np.array([0.0, 1.0, np.nan]), np.array([2.0, 4.0, 3.0]))
    other = Path2D("other", np.array([-1.0, np.inf]), np.array([2.0, 2.0]))
    assert window_of([one, other]) == pytest.approx((-1.2, 1.2, 1.8, 4.2))
    still = Path2D("still", np.array([1.0]), np.array([1.0]))
    assert window_of([still]) == pytest.approx((0.5, 1.5, 0.5, 1.5))


def test_the_picture_names_paths_start_and_minimum():
    x = np.linspace(-2, 2, 61)
    path = Path2D("a $path$", np.array([1.0, 0.5, 0.25]), np.array([1.0, -1.0, 0.5]))
    far = Path2D("far", np.array([1.0, 50.0]), np.array([1.0, 70.0]))
    drawn = contour(
        x[None, :] ** 2 + x[:, None] ** 2, (-2, 2, -2, 2), [path, far], [(0.0, 0.0)],
        "A title", "across", "along",
    )  # fmt: skip
    texts = [e.text for e in ElementTree.fromstring(drawn).iter() if e.tag.endswith("text")]
    assert {"a $path$", "far", "start", "minimum", "A title", "across", "along"} <= set(texts)
    assert drawn == contour(
        x[None, :] ** 2 + x[:, None] ** 2, (-2, 2, -2, 2), [path, far], [(0.0, 0.0)],
        "A title", "across", "along",
    )  # fmt: skip
    assert not re.search(r"\d{4}-\d\d-\d\d", drawn)
