"""Values, gradients and projections of the test problems against formulas by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from problem_settings import CONVEX, PROBLEMS, built, problem
from scipy.optimize import minimize

from sgdlab.datasets.base import Examples
from sgdlab.datasets.logistic import Logistic
from sgdlab.datasets.projection import projection_of

Array = np.ndarray


def value_and_gradient(examples: Examples, w: Array) -> tuple[float, Array]:
    """Of the mean over all rows in eval mode, by autograd."""
    module = built(examples).eval()
    with torch.no_grad():
        module.w.copy_(torch.from_numpy(w))
    values = module(examples.x.double())
    assert values.shape == (len(examples.x),)
    values.mean().backward()
    return float(values.detach().mean()), module.w.grad.numpy()


def hessian_of(value: Any, w: torch.Tensor) -> torch.Tensor:
    found = torch.autograd.functional.hessian(value, w)
    assert isinstance(found, torch.Tensor)
    return found


def quadratic_by_hand(w: Array, h: Array, minimum: float) -> tuple[float, Array]:
    return 0.5 * float(h @ (w - minimum) ** 2), h * (w - minimum)


def rosenbrock_by_hand(w: Array) -> tuple[float, Array]:
    x, y = w
    slope = [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2, np.array(slope)


def beale_by_hand(w: Array) -> tuple[float, Array]:
    x, y = w
    r = [1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3]
    by_x = 2 * r[0] * (y - 1) + 2 * r[1] * (y**2 - 1) + 2 * r[2] * (y**3 - 1)
    by_y = 2 * r[0] * x + 4 * r[1] * x * y + 6 * r[2] * x * y**2
    return r[0] ** 2 + r[1] ** 2 + r[2] ** 2, np.array([by_x, by_y])


def logistic_by_hand(w: Array, examples: Examples, l2: float) -> tuple[float, Array]:
    z = examples.x.double().numpy()
    margins = z @ w
    gradient = z.T @ (1 / (1 + np.exp(-margins))) / len(z) + l2 * w
    return float(np.mean(np.log1p(np.exp(margins))) + l2 / 2 * w @ w), gradient


def ridge_by_hand(w: Array, examples: Examples, l2: float) -> tuple[float, Array]:
    rows = examples.x.double().numpy()
    x, y = rows[:, :-1], rows[:, -1]
    value = np.sum((x @ w - y) ** 2) / (2 * len(x)) + l2 / 2 * w @ w
    return float(value), (x.T @ x @ w - x.T @ y) / len(x) + l2 * w


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PROBLEMS)
def test_values_and_gradients_are_the_formulas(name: str, seed: int) -> None:
    h = np.array([3.0, 1.0, 0.25, 0.0])
    own: dict[str, Any] = {"eigenvalues": h.tolist(), "minimum": 0.75}
    examples = problem(name, **(own if "quadratic" in name else {}))
    w = np.random.default_rng(seed).normal(size=built(examples).w.shape)
    by_hand = {
        "quadratic": lambda: quadratic_by_hand(w, h, 0.75),
        "noisy_quadratic": lambda: quadratic_by_hand(w, h, 0.75),
        "rosenbrock": lambda: rosenbrock_by_hand(w),
        "beale": lambda: beale_by_hand(w),
        "logistic": lambda: logistic_by_hand(w, examples, 0.01),
        "least_squares": lambda: ridge_by_hand(w, examples, 0.01),
    }
    value, gradient = value_and_gradient(examples, w)
    expected, slope = by_hand[name]()
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-10, atol=1e-13)


def test_large_margins_keep_every_digit() -> None:
    module = Logistic(torch.ones(1, dtype=torch.float64), None, 0.0)
    z = torch.linspace(-60, 60, 121, dtype=torch.float64)
    expected = np.logaddexp(0, z.numpy())
    np.testing.assert_allclose(module(z[:, None]).detach(), expected, rtol=1e-15)


def test_a_rotated_quadratic_has_the_chosen_spectrum_in_other_directions() -> None:
    examples = problem("quadratic", dim=6, condition=50.0, rotate=True, minimum=0.3, start=2.0)
    module = built(examples).eval()
    start = module.w.detach().clone()

    def value(w: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, {"w": w}, torch.zeros(1, 1)).mean()

    hessian = hessian_of(value, start).numpy()
    h = np.geomspace(1, 1 / 50, 6)
    np.testing.assert_allclose(np.linalg.eigvalsh(hessian)[::-1], h, rtol=1e-12)
    assert np.abs(hessian - np.diag(np.diag(hessian))).max() > 0.05
    components = np.linalg.eigh(hessian)[1].T @ (start.numpy() - 0.3)
    np.testing.assert_allclose(np.abs(components), 2.0, rtol=1e-9)
    assert float(value(start)) == pytest.approx(0.5 * 4 * h.sum(), rel=1e-12)
    assert float(value(torch.full((6,), 0.3, dtype=torch.float64))) == 0.0


def test_a_linear_spectrum_is_evenly_spaced() -> None:
    module = built(problem("quadratic", dim=5, condition=10.0, spectrum="linear"))
    np.testing.assert_allclose(module.eigenvalues, [1, 0.775, 0.55, 0.325, 0.1], rtol=1e-14)


def test_curvature_at_the_minima_is_as_documented() -> None:
    for name, minimum, expected in (
        ("rosenbrock", [1.0, 1.0], [0.3994, 1001.6]),
        ("beale", [3.0, 0.5], [0.3015, 48.98]),
    ):
        module = built(problem(name)).eval()

        def value(w: torch.Tensor, module: Any = module) -> torch.Tensor:
            return torch.func.functional_call(module, {"w": w}, torch.zeros(1, 1)).mean()

        point = torch.tensor(minimum, dtype=torch.float64)
        assert float(value(point)) == 0.0
        assert value_and_gradient(problem(name), point.numpy())[1].tolist() == [0.0, 0.0]
        curvature = torch.linalg.eigvalsh(hessian_of(value, point)).tolist()
        assert curvature == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("name", CONVEX)
def test_smoothness_and_convexity_bound_the_hessians(name: str) -> None:
    examples = problem(name)
    module = built(examples).eval()
    assert examples.problem is not None
    assert examples.problem.smoothness is not None
    assert examples.problem.strong_convexity is not None
    x = examples.x.double()

    def value(w: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, {"w": w}, x).mean()

    for scale in (0.0, 0.1, 1.0):
        w = scale * torch.randn(module.w.shape, dtype=torch.float64)
        curvature = torch.linalg.eigvalsh(hessian_of(value, w)).tolist()
        assert curvature[-1] <= examples.problem.smoothness * (1 + 1e-12)
        assert curvature[0] >= examples.problem.strong_convexity * (1 - 1e-12)
        if scale == 0.0:  # reached by all of them at 0, where the logistic curve is steepest
            assert curvature[-1] == pytest.approx(examples.problem.smoothness, rel=1e-10)


@pytest.mark.parametrize("kind", ["box", "ball"])
def test_projection_finds_the_nearest_point(kind: str) -> None:
    radius, random = 0.8, np.random.default_rng(0)
    convex_set = projection_of(kind, radius)
    assert convex_set is not None
    outside = 0
    for _ in range(12):
        point = random.normal(size=3)
        found = torch.from_numpy(point.copy())
        convex_set.project_(found)
        if kind == "box":
            limits: dict[str, Any] = {"bounds": [(-radius, radius)] * 3}
        else:
            inside = {"type": "ineq", "fun": lambda v: radius**2 - v @ v}
            limits = {"constraints": [inside]}
        nearest = minimize(
            lambda v, p=point: np.sum((v - p) ** 2),
            np.zeros(3),
            method="SLSQP",
            tol=1e-14,
            **limits,
        ).x
        np.testing.assert_allclose(found, nearest, atol=1e-6)
        assert convex_set.holds(found.numpy() * (1 - 1e-15))
        outside += not np.array_equal(found, point)
    assert 0 < outside <= 12
    kept = torch.tensor([0.1, -0.2, 0.3])
    convex_set.project_(kept)
    assert torch.equal(kept, torch.tensor([0.1, -0.2, 0.3]))


def test_the_start_is_projected_and_builds_are_separate() -> None:
    examples = problem("quadratic", eigenvalues=[1.0, 2.0], start=3.0, projection="box")
    assert examples.problem is not None
    module, other = examples.problem.build(), examples.problem.build()
    assert module.w.tolist() == [1.0, 1.0]
    with torch.no_grad():
        module.w.add_(5.0)
    module.project_()
    assert module.w.tolist() == [1.0, 1.0]
    with torch.no_grad():
        module.w.zero_()
    assert other.w.tolist() == examples.problem.build().w.tolist() == [1.0, 1.0]
