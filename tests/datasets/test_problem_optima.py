"""Known optima against SciPy's own methods, and gradient descent that gets there."""

from typing import Any

import numpy as np
import pytest
import torch
from problem_settings import CONVEX, PROBLEMS, problem
from scipy.optimize import Bounds, minimize

from sgdlab.datasets.base import Examples

Array = np.ndarray


def optimum(examples: Examples) -> float:
    assert examples.problem is not None
    return examples.problem.optimum


def objective(examples: Examples) -> Any:
    """The mean over all rows in float64 and its gradient, by torch, for SciPy."""
    assert examples.problem is not None
    module: Any = examples.problem.build().double().eval()
    x = examples.x.double()

    def value(w: Array) -> tuple[float, Array]:
        module.zero_grad()
        with torch.no_grad():
            module.w.copy_(torch.from_numpy(w))
        mean = module(x).mean()
        mean.backward()
        return float(mean.detach()), module.w.grad.numpy().copy()

    return value, module.w.detach().numpy().copy()


def by_scipy(examples: Examples, kind: str, radius: float) -> float:
    """The smallest value that SciPy finds by a method that is not ours."""
    value, start = objective(examples)
    if kind == "ball":
        inside = {"type": "ineq", "fun": lambda w: radius**2 - w @ w, "jac": lambda w: -2 * w}
        options = {"ftol": 1e-15, "maxiter": 1000}
        found = minimize(
            value, start, jac=True, method="SLSQP", constraints=[inside], options=options
        )
        assert np.linalg.norm(found.x) <= radius * (1 + 1e-9)
    elif kind == "box":
        bounds = Bounds(-radius, radius)
        options = {"ftol": 1e-16, "gtol": 1e-12, "maxiter": 20000, "maxfun": 50000}
        found = minimize(value, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    else:
        found = minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-10})
    return float(found.fun)


# Where the constraint binds: the unconstrained minima lie outside of these sets.
CONSTRAINED: list[tuple[str, dict[str, Any], float]] = [
    ("quadratic", {"dim": 8, "minimum": 1.0}, 0.7),
    ("quadratic", {"dim": 8, "minimum": 1.0, "rotate": True}, 0.7),
    ("noisy_quadratic", {"eigenvalues": [2.0, 0.1, 1.0], "minimum": -2.0}, 0.5),
    ("logistic", {}, 0.3),
    ("logistic", {"source": "generated", "n_features": 6, "l2": 0.001}, 0.2),
    ("least_squares", {"l2": 0.0}, 0.2),
    ("least_squares", {"source": "generated", "n_features": 8, "rank": 5, "l2": 0.0}, 0.4),
]


@pytest.mark.parametrize("kind", ["box", "ball"])
@pytest.mark.parametrize(("name", "changes", "radius"), CONSTRAINED)
def test_constrained_optimum_is_scipys(
    name: str, changes: dict[str, Any], radius: float, kind: str
) -> None:
    examples = problem(name, projection=kind, radius=radius, **changes)
    free = problem(name, **changes)
    assert optimum(examples) > optimum(free) + 1e-4
    assert optimum(examples) == pytest.approx(by_scipy(examples, kind, radius), rel=2e-8)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("logistic", {}),
        ("logistic", {"l2": 1e-4}),
        ("logistic", {"source": "generated"}),
        ("least_squares", {}),
        ("least_squares", {"l2": 0.0}),
        ("least_squares", {"source": "generated", "n_samples": 15, "n_features": 30, "l2": 0.0}),
    ],
)
def test_optimum_is_scipys(name: str, changes: dict[str, Any]) -> None:
    examples = problem(name, **changes)
    assert optimum(examples) == pytest.approx(by_scipy(examples, "none", 0), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("l2", [0.0, 0.01, 10.0])
def test_ridge_optimum_is_that_of_stacked_least_squares(l2: float) -> None:
    examples = problem("least_squares", l2=l2)
    rows = examples.x.double().numpy()
    x, y, n = rows[:, :-1], rows[:, -1], len(rows)
    stacked = np.vstack([x / n**0.5, l2**0.5 * np.eye(x.shape[1])])
    target = np.concatenate([y / n**0.5, np.zeros(x.shape[1])])
    w = np.linalg.lstsq(stacked, target)[0]
    assert optimum(examples) == pytest.approx(0.5 * np.sum((stacked @ w - target) ** 2), rel=1e-14)


def test_a_set_that_holds_the_minimum_changes_nothing() -> None:
    for name in PROBLEMS:
        for kind in ("box", "ball"):
            free, held = problem(name), problem(name, projection=kind, radius=50.0)
            assert optimum(held) == pytest.approx(optimum(free), rel=1e-14, abs=0)


def test_a_direction_without_curvature_does_not_count() -> None:
    settings: dict[str, Any] = {"eigenvalues": [1.0, 0.0], "minimum": 2.0, "radius": 1.0}
    for kind in ("ball", "box"):
        assert optimum(problem("quadratic", projection=kind, **settings)) == pytest.approx(0.5)
    settings["radius"] = 2.5  # the minimum itself lies outside of this ball; (2, 0) does not
    assert optimum(problem("quadratic", projection="ball", **settings)) == 0.0


def test_copied_features_make_the_rank_exact() -> None:
    examples = problem("least_squares", source="generated", rank=4, l2=0.0, noise=0.0)
    x = examples.x[:, :-1].double().numpy()
    assert x.shape == (1000, 20)
    values = np.linalg.svd(x, compute_uv=False)
    assert values[3] > 1.0
    assert values[4] < 1e-12 * values[0]
    assert examples.problem is not None
    assert examples.problem.strong_convexity == pytest.approx(values[3] ** 2 / 1000, rel=1e-10)
    assert 0 <= optimum(examples) < 1e-12


def test_more_features_than_examples_are_fitted_exactly() -> None:
    examples = problem(
        "least_squares", source="generated", n_samples=12, n_features=40, l2=0.0, noise=1.0
    )
    assert 0 <= optimum(examples) < 1e-25


def test_condition_of_generated_features() -> None:
    examples = problem("least_squares", source="generated", n_samples=40000, l2=0.0)
    assert examples.problem is not None
    assert examples.problem.smoothness is not None
    assert examples.problem.strong_convexity is not None
    kappa = examples.problem.smoothness / examples.problem.strong_convexity
    assert kappa == pytest.approx(100, rel=0.05)


DESCENTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"l2": 0.1} if "quadratic" not in name else {"condition": 20.0}) for name in CONVEX),
    ("quadratic", {"rotate": True, "minimum": 1.0, "condition": 20.0}),
    ("quadratic", {"dim": 8, "minimum": 1.0, "projection": "ball", "radius": 0.7}),
    ("quadratic", {"dim": 8, "minimum": 1.0, "rotate": True, "projection": "box", "radius": 0.7}),
    ("logistic", {"l2": 0.1, "projection": "box", "radius": 0.2}),
    ("logistic", {"l2": 0.1, "projection": "ball", "radius": 0.3}),
    ("least_squares", {"projection": "ball", "radius": 0.2}),
    ("least_squares", {"source": "generated", "rank": 5, "l2": 0.0, "condition": 10.0}),
]


@pytest.mark.parametrize(("name", "changes"), DESCENTS)
def test_gradient_descent_closes_the_gap(name: str, changes: dict[str, Any]) -> None:
    """At 1/L, projected after every step; never below the optimum by more than rounding."""
    examples = problem(name, **changes)
    assert examples.problem is not None
    smoothness = examples.problem.smoothness
    assert smoothness is not None
    module: Any = examples.problem.build().double().eval()
    optimizer, x = torch.optim.SGD(module.parameters(), lr=1 / smoothness), examples.x.double()
    first = float(module(x).mean().detach()) - optimum(examples)
    assert first > 1e-3
    gap = first
    for _ in range(6000):
        optimizer.zero_grad()
        loss = module(x).mean()
        gap = float(loss.detach()) - optimum(examples)
        assert gap > -2e-16 * max(1.0, 10 * optimum(examples))
        if gap < 1e-10:
            break
        loss.backward()
        optimizer.step()
        module.project_()
    assert gap < 1e-10


@pytest.mark.parametrize("name", ["rosenbrock", "beale"])
def test_a_quasi_newton_method_reaches_the_minimum_of_the_plane(name: str) -> None:
    examples = problem(name)
    assert examples.problem is not None
    module: Any = examples.problem.build().double()
    optimizer = torch.optim.LBFGS(
        module.parameters(), max_iter=200, tolerance_grad=1e-12, tolerance_change=0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = module(torch.zeros(1, 1)).mean()
        loss.backward()
        return loss

    first = float(optimizer.step(closure).detach())
    assert first > 10
    assert 0 <= float(closure().detach()) < 1e-12
