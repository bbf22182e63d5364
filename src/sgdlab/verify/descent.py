"""Gradient descent and momentum without noise: rows 1 to 6."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.lab import Trajectory, train
from sgdlab.verify.stability import around, growth, largest_stable

_POINTS = 200
_L, _MU = 1.0, 0.01
_KAPPA = _L / _MU
_ROOT = math.sqrt(_KAPPA)
_BETA = (_ROOT - 1) / (_ROOT + 1)

# Optimizer, rate and momentum that are best for known L and μ.
_BEST = {
    "GD": ("sgd", 2 / (_L + _MU), 0.0),
    "heavy ball": ("momentum", (2 / (math.sqrt(_L) + math.sqrt(_MU))) ** 2, _BETA**2),
    "Nesterov": ("nesterov", 1 / _L, _BETA),
}


def _run(rule: tuple[str, float, float], steps: int) -> Trajectory:
    """Train on the quadratic with 50 log-spaced eigenvalues from ``L`` to ``μ``."""
    optimizer, lr, momentum = rule
    return train(
        "dataset=quadratic", f"dataset.n_samples={steps}", "batch_size=1", f"max_steps={steps}",
        f"optimizer={optimizer}", f"lr={lr}", f"optimizer.momentum={momentum}",
    )  # fmt: skip


def _largest(run: Trajectory) -> np.ndarray:
    """Return the largest coordinate of each iterate, ``[T + 1]``; they all start at 1."""
    return run.iterates.abs().amax(dim=1).numpy()


def curve_of(name: str, values: np.ndarray, predicted: np.ndarray, panel: str) -> VerifyCurve:
    """Return at most 200 points of values after steps ``1..T``, ``[T + 1]`` with the start."""
    rows = np.unique(np.linspace(1, len(values) - 1, _POINTS).astype(int))
    return VerifyCurve(name, rows, values[rows], predicted[rows], panel=panel)


_PANEL = "quadratic, κ = 100: largest coordinate"


def gradient_descent() -> Iterator[VerifyCheck]:
    """Rows 1 and 2: on a quadratic GD contracts by ``(κ-1)/(κ+1)`` at best, by ``1-1/κ`` at 1/L.

    Coordinates contract by ``|1 - lr·h|``; the slowest is the largest from the first step on.

    Source: Nesterov (2004), "Introductory lectures on convex optimization", theorem 2.1.15.
    """
    steps = 500
    t = np.arange(steps + 1)
    for row, name, lr, factor in (
        ("1", "2/(L+μ)", 2 / (_L + _MU), (_KAPPA - 1) / (_KAPPA + 1)),
        ("2", "1/L", 1 / _L, 1 - 1 / _KAPPA),
    ):
        sizes = _largest(_run(("sgd", lr, 0.0), steps))
        curve = curve_of(f"GD, lr {name}", sizes, factor**t, _PANEL)
        measured = float(sizes[-1] ** (1 / steps))
        experiment = f"GD, lr {name}, κ=100: factor per step"
        # Roundings of 500 steps, spread over them.
        yield VerifyCheck(row, experiment, factor, measured, 1e-12, curves=(curve,))


def heavy_ball() -> Iterator[VerifyCheck]:
    """Row 3: Polyak's settings give every eigenvalue roots of modulus ``√β``.

    At ``h = L`` the root ``-√β`` is double, so that ``|x_t| = √β^t·(1 + (1 + √β)·t)``: the largest
    coordinate. The factor per step comes down to ``√β`` as ``t`` grows; divided by the known
    polynomial, the iterates show it at once.

    Source: Polyak (1964), "Some methods of speeding up the convergence of iteration methods".
    """
    experiment = "heavy ball, κ=100: factor per step √β"
    yield _double_root("3", "heavy ball", experiment, 200, _BETA, 1 + _BETA)


def _double_root(
    row: str, name: str, experiment: str, steps: int, root: float, growth: float
) -> VerifyCheck:
    """Return the check that the largest coordinate is ``root^t·(1 + growth·t)``."""
    t = np.arange(steps + 1)
    sizes, polynomial = _largest(_run(_BEST[name], steps)), 1 + growth * t
    curve = curve_of(name, sizes, root**t * polynomial, _PANEL)
    measured = float((sizes[-1] / polynomial[-1]) ** (1 / steps))
    # A double root spreads roundings: their effect grows with t².
    return VerifyCheck(row, experiment, root, measured, 1e-11, curves=(curve,))


def nesterov() -> Iterator[VerifyCheck]:
    """Row 4: Nesterov's momentum contracts by ``1 - 1/√κ``.

    With ``q = 1/√κ``, ``h = μ`` has the double root ``1 - q`` and ``|x_t| = (1 - q)^t·(1 +
    q·t/(1 + q))``; all others have smaller ones.

    Source: Nesterov (2004), section 2.2.
    """
    q = 1 / _ROOT
    experiment = "Nesterov, κ=100: factor per step 1 - 1/√κ"
    yield _double_root("4", "Nesterov", experiment, 250, 1 - q, q / (1 + q))


def _predicted_norms(rule: tuple[str, float, float], steps: int) -> np.ndarray:
    """Return ``‖x_t‖ [T + 1]`` from each eigenvalue's recurrence ``x_{t+1} = a·x_t - b·x_{t-1}``.

    ``a = 1 + β - lr·h``, ``b = β`` for the heavy ball (GD at ``β = 0``); ``a = (1 + β)(1 - lr·h)``,
    ``b = β(1 - lr·h)`` for Nesterov; both with ``x_{-1}`` such that the velocity is 0.
    """
    optimizer, lr, beta = rule
    h = np.geomspace(_L, _MU, 50)
    is_nesterov = optimizer == "nesterov"
    a = (1 + beta) * (1 - lr * h) if is_nesterov else 1 + beta - lr * h
    b = beta * (1 - lr * h) if is_nesterov else np.full_like(h, beta)
    one_step = np.stack([np.stack([a, -b], -1), np.stack([np.ones_like(h), 0 * h], -1)], -2)
    before = (a - 1 + lr * h * (1 + beta * is_nesterov)) / np.where(b == 0, 1, b)
    state = np.stack([np.ones_like(h), before], -1)[..., None]
    norms = [math.sqrt(len(h))]
    for _ in range(steps):
        state = one_step @ state
        norms.append(float(np.linalg.norm(state[:, 0])))
    return np.array(norms)


def steps_to_target() -> Iterator[VerifyCheck]:
    """Row 5: steps until ``‖x‖`` has fallen by 1e-6: GD ≫ Nesterov > heavy ball.

    Predicted from the characteristic equations of all 50 eigenvalues, to the step.
    """
    panel = "quadratic, κ = 100: norm"
    for row, name, steps in (("5a", "GD", 700), ("5b", "Nesterov", 200), ("5c", "heavy ball", 120)):
        norms = torch.linalg.vector_norm(_run(_BEST[name], steps).iterates, dim=1).numpy()
        predicted = _predicted_norms(_BEST[name], steps)
        due, found = (_first_below(values, 1e-6 * norms[0]) for values in (predicted, norms))
        curve = curve_of(name, norms / norms[0], predicted / norms[0], panel)
        experiment = f"{name}: steps until the norm has fallen by 1e-6"
        yield VerifyCheck(row, experiment, due, found, 0.0, "absolute", (curve,))


def _first_below(values: np.ndarray, target: float) -> float:
    below = np.flatnonzero(values <= target)
    return float(below[0]) if len(below) else math.nan


def stability() -> Iterator[VerifyCheck]:
    """Row 6: the largest stable ``lr·h``: 2 for GD, ``2(1+β)`` and ``2(1+β)/(1+2β)`` with momentum.

    Where the characteristic equation has the root -1. Each run has 40 curvatures as its
    coordinates; the limit, not among them, is interpolated. (The last is row 36's, too.)

    Source: Cohen, Kaur, Li, Kolter and Talwalkar (2021), "Gradient descent on neural networks
    typically occurs at the edge of stability", appendix.
    """
    beta = 0.9
    for row, optimizer, momentum, limit in (
        ("6a", "sgd", 0.0, 2.0),
        ("6b", "momentum", beta, 2 * (1 + beta)),
        ("6c", "nesterov", beta, 2 * (1 + beta) / (1 + 2 * beta)),
    ):
        h = around(limit)
        chosen = (f"optimizer={optimizer}", f"optimizer.momentum={momentum}", "lr=1.0")
        run = train(
            "dataset=quadratic", f"dataset.eigenvalues={h.tolist()}", "dataset.n_samples=200",
            "batch_size=1", "max_steps=200", *chosen,
        )  # fmt: skip
        measured = largest_stable(h, growth(run.iterates))
        name = optimizer if momentum == 0 else f"{optimizer} {momentum}"
        experiment = f"{name}: largest stable lr·h"
        yield VerifyCheck(row, experiment, limit, measured, 1e-7)
