"""The minimiser behind the known optima, against SciPy and the conditions of a minimum."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from sgdlab.datasets.minimum import Smooth, minimise
from sgdlab.datasets.projection import Ball, Box
from sgdlab.errors import InputError

Array = np.ndarray


@pytest.mark.parametrize("seed", range(40))
def test_a_box_around_any_least_squares_problem(seed: int) -> None:
    """Against SciPy's active-set method; many shapes, some without a unique solution."""
    random = np.random.default_rng(seed)
    n, d = random.integers(2, 30), random.integers(1, 20)
    a = random.normal(size=(n, d)) * 10.0 ** random.uniform(-2, 2, size=d)
    b, radius = random.normal(size=n), 10 ** random.uniform(-2, 1)
    smooth = Smooth(
        lambda w: 0.5 * float(((a @ w - b) ** 2).sum()), lambda w: (a.T @ (a @ w - b), a.T @ a)
    )
    w = minimise(smooth, int(d), Box(radius))
    assert np.abs(w).max() <= radius
    best = lsq_linear(a, b, (-radius, radius), method="bvls", tol=1e-15).cost
    assert smooth.value(w) == pytest.approx(best, rel=1e-9, abs=1e-13)
    gradient = smooth.slope(w)[0]
    pushed = np.abs(gradient) > 1e-7 * np.abs(a.T @ b).max()
    np.testing.assert_array_equal(w[pushed], -np.sign(gradient[pushed]) * radius)


def test_newtons_method_goes_on_to_the_last_digits() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(30, 6)), random.normal(size=30)

    def slope(w: Array) -> tuple[Array, Array]:
        t = np.tanh(a @ w - b)
        return a.T @ t, (a * (1 - t**2)[:, None]).T @ a

    smooth = Smooth(lambda w: float(np.log(np.cosh(a @ w - b)).sum()), slope)
    w = minimise(smooth, 6, None)
    assert np.abs(slope(w)[0]).max() < 1e-14 * np.abs(a).sum()
    on_sphere = minimise(smooth, 6, Ball(0.5 * float(np.linalg.norm(w))))
    gradient = slope(on_sphere)[0]
    multiplier = -(gradient @ on_sphere) / (on_sphere @ on_sphere)
    assert np.abs(gradient + multiplier * on_sphere).max() < 1e-13 * np.abs(a).sum()


@pytest.mark.parametrize("radius", [1e-6, 0.1, 3.0, 1e6])
def test_a_ball_of_any_size_satisfies_the_conditions_of_a_minimum(radius: float) -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(9, 5)), random.normal(size=9)
    smooth = Smooth(
        lambda w: 0.5 * float(((a @ w - b) ** 2).sum()), lambda w: (a.T @ (a @ w - b), a.T @ a)
    )
    w = minimise(smooth, 5, Ball(radius))
    gradient, size = a.T @ (a @ w - b), float(np.linalg.norm(w))
    assert size <= radius * (1 + 1e-15)
    if size < radius * (1 - 1e-12):
        assert np.abs(gradient).max() < 1e-12
    else:
        multiplier = -float(gradient @ w) / size**2
        assert multiplier > 0
        np.testing.assert_allclose(gradient, -multiplier * w, rtol=1e-7, atol=1e-12)


def test_a_coordinate_that_stops_just_short_of_its_bound_is_taken_there() -> None:
    """The first Newton step on exp(-w) from 0 ends at 1."""
    smooth = Smooth(lambda w: float(np.exp(-w[0])), lambda w: (-np.exp(-w), np.diag(np.exp(-w))))
    assert minimise(smooth, 1, Box(1.0004)).tolist() == [1.0004]


def test_a_function_without_a_minimum_is_refused() -> None:
    smooth = Smooth(lambda w: float(w[0]), lambda w: (np.ones(1), np.zeros((1, 1))))
    with pytest.raises(InputError, match="the optimum could not be computed"):
        minimise(smooth, 1, None)
