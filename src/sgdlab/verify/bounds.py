"""Gradient descent and momentum against bounds for whole classes of functions: rows 7, 31, 32."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.descent import curve_of
from sgdlab.verify.lab import Trajectory, train
from sgdlab.verify.problems import Huber, dataset
from sgdlab.verify.schedules import RISING_MOMENTUM

_SMOOTH, _RADIUS = 2.5, 3.0
_WORST = "worst case in N steps, Huber"


def _worst_cases(travels: np.ndarray, *overrides: str) -> tuple[Trajectory, Tensor]:
    """Train on the Huber functions that are the worst for methods with known travels.

    A method that moves by ``S_N·g/L`` in ``N`` steps of a constant gradient ``g`` reaches only
    ``f_N = L R²/(4 S_N + 2)`` on the Huber function with ``τ = R/(2 S_N + 1)``.

    Args:
        travels: ``S_N`` for ``N = 1..d``: one coordinate for each.
        overrides: Choose the optimizer.

    Returns:
        The run, and ``f_N`` in the coordinate made for ``N``, ``[d]``.
    """
    steps = len(travels)
    start = torch.full((steps,), _RADIUS, dtype=torch.float64)
    function = Huber(start, _SMOOTH, torch.from_numpy(_RADIUS / (2 * travels + 1)))
    run = train(
        "model=problem", "batch_size=1", f"lr={1 / _SMOOTH}", f"max_steps={steps}", *overrides,
        data=dataset(function, n_samples=steps),
    )  # fmt: skip
    return run, function.terms(run.iterates)[1:].diagonal()


def smooth_convex() -> Iterator[VerifyCheck]:
    """Row 7: GD at ``1/L`` from distance ``R`` has ``f_N - f* <= L R²/(4N + 2)``; Huber attains it.

    Source: Drori and Teboulle (2014), "Performance of first-order methods for smooth convex
    minimization".
    """
    n = np.arange(1.0, 101)
    _, values = _worst_cases(n, "optimizer=sgd")
    bound = _SMOOTH * _RADIUS**2 / (4 * n + 2)
    curve = VerifyCurve("GD", n, values.numpy(), bound, slope=-1.0, panel=_WORST)
    for row, steps in (("7a", 1), ("7b", 50), ("7c", 100)):
        experiment = f"GD, Huber's function for N={steps}: f_N - f*"
        curves = (curve,) if steps == 50 else ()
        predicted, measured = float(bound[steps - 1]), float(values[steps - 1])
        yield VerifyCheck(row, experiment, predicted, measured, 1e-12, curves=curves)


def accelerated() -> Iterator[VerifyCheck]:
    """Row 31: Nesterov's method with momentum ``(k-1)/(k+2)`` has ``f - f* <= 2LR²/(k+1)²``.

    In the published form (``nesterov_lookahead``): torch's has one momentum for the velocity and
    for the look-ahead, and is the same method only while the momentum is constant. Under a
    constant gradient ``S_N = 1 + (N-1)(N+6)/8``, so that on the Huber function for ``N`` steps
    ``f_N = 2LR²/((N+2)(N+3))``: the bound is tight.

    Source: Nesterov (1983); in this form Su, Boyd and Candès (2016).
    """
    chosen = ("optimizer=nesterov_lookahead", RISING_MOMENTUM)
    steps = 1000
    run = train(
        "dataset=quadratic", "dataset.condition=1.0e8", f"dataset.n_samples={steps}",
        "batch_size=1", "lr=1.0", f"max_steps={steps}", *chosen,
    )  # fmt: skip
    losses, squared = np.array(run.column("loss")), float(run.iterates[0].square().sum())
    k = np.arange(len(losses))
    bound = 2 * squared / (k + 1) ** 2
    experiment = "accelerated GD, κ=1e8: largest (f - f*)/bound at any k"
    panel = "smooth convex, accelerated: f - f* against its bound"
    curve = curve_of("quadratic, κ = 1e8", losses, bound, panel)
    measured = float((losses / bound).max())
    yield VerifyCheck("31a", experiment, 1.0, measured, 0.0, "at_most", (curve,))

    n = np.arange(1.0, 101)
    run, values = _worst_cases(1 + (n - 1) * (n + 6) / 8, *chosen)
    exact = 2 * _SMOOTH * _RADIUS**2 / ((n + 2) * (n + 3))
    name = "Nesterov, rising momentum"
    curve = VerifyCurve(name, n, values.numpy(), exact, slope=-2.0, panel=_WORST)
    for row, steps in (("31b", 10), ("31c", 100)):
        experiment = f"accelerated GD, Huber's function for N={steps}: f_N - f*"
        curves = (curve,) if steps == 100 else ()
        predicted, measured = float(exact[steps - 1]), float(values[steps - 1])
        yield VerifyCheck(row, experiment, predicted, measured, 1e-12, curves=curves)


def polyak_lojasiewicz() -> Iterator[VerifyCheck]:
    """Row 32: without strong convexity, GD at ``1/L`` has ``f_k - f* <= (1 - μ/L)^k (f_0 - f*)``.

    Least squares with 20 examples of 60 features: the Hessian has rank 20, every minimum fits all
    examples (``f* = 0``), and ``μ`` is the smallest non-zero eigenvalue. Along its eigenvector the
    distance shrinks by exactly ``1 - μ/L`` in a step (and ``f - f*`` by its square).

    Source: Karimi, Nutini and Schmidt (2016), "Linear convergence of gradient and
    proximal-gradient methods under the Polyak–Łojasiewicz condition", theorem 1.
    """
    rank = 20
    problem = (
        "dataset=least_squares", "dataset.source=generated", f"dataset.n_samples={rank}",
        "dataset.n_features=60", "dataset.condition=1.0", "dataset.l2=0.0", "dataset.noise=0.0",
    )  # fmt: skip
    known = train(*problem, "optimizer=sgd", "max_steps=1").run.data.problem
    assert known is not None
    assert known.smoothness
    assert known.strong_convexity
    factor = 1 - known.strong_convexity / known.smoothness
    run = train(*problem, "optimizer=sgd", f"lr={1 / known.smoothness}", "max_steps=150")
    losses = np.array(run.column("loss"))
    k = np.arange(len(losses))
    bound = factor**k * losses[0]
    panel = "Polyak–Łojasiewicz: f - f* against its bound"
    curve = curve_of("least squares of rank 20 in 60", losses, bound, panel)
    measured = float((losses / bound)[1:].max())
    experiment = "GD, rank-deficient least squares: largest (f - f*)/bound at any k"
    yield VerifyCheck("32a", experiment, 1.0, measured, 0.0, "at_most", (curve,))
    x = run.run.data.train.x[:, :-1].numpy()
    slowest = np.linalg.eigh(x.T @ x)[1][:, -rank]
    moves = np.abs(np.diff(run.iterates.numpy() @ slowest))
    measured = float((moves[100] / moves[0]) ** (1 / 100))
    experiment = "the same: factor per step in the slowest direction"
    yield VerifyCheck("32b", experiment, factor, measured, 1e-9)
