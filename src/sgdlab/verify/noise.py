"""SGD under gradient noise: floors, averages and rates, rows 8 to 12 and 33.

Every coordinate of a separable problem is an independent repetition, so that a mean over
coordinates estimates an expectation. The floors' tolerances are five standard errors: they hold
whatever the seed.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sgdlab.datasets.projection import Box
from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.gaps import slope
from sgdlab.verify.lab import Trajectory, train
from sgdlab.verify.problems import Distance, Ripples, dataset

_NOISE = 3.0


def _noisy(
    curvatures: tuple[float, ...], repetitions: int, steps: int, batch: int = 1
) -> tuple[str, ...]:
    """Return the settings of ``Σ h x²/2`` from 0 with fresh gradient noise of variance ``9/B``."""
    return (
        "dataset=noisy_quadratic", f"dataset.eigenvalues={list(curvatures)}",
        f"dataset.repetitions={repetitions}", f"dataset.noise={_NOISE}", "dataset.start=0.0",
        f"dataset.n_samples={batch * steps}", f"batch_size={batch}", f"max_steps={steps}",
    )  # fmt: skip


def five_errors(repetitions: int, memory: float = 0.0, length: int = 1) -> float:
    """Return five relative standard errors of an estimated variance of normal variables.

    Args:
        repetitions: Independent ones.
        memory: ``ρ²``, when each is a mean over time, of squares with autocorrelations ``ρ^{2k}``.
        length: Terms of that mean.
    """
    return 5 * math.sqrt(2 * (1 + memory) / (1 - memory) / (repetitions * length))


def _squares(run: Trajectory, curvatures: int) -> Tensor:
    """Return the mean of ``x²`` over the repetitions of each curvature, ``[T + 1, curvatures]``."""
    return run.iterates.square().unflatten(1, (curvatures, -1)).mean(dim=2)


_FLOOR = "E x² on h x²/2: the floor is reached"
_REPETITIONS, _STEPS, _SETTLED, _EVERY = 2000, 1000, 200, 2


def floor() -> Iterator[VerifyCheck]:
    """Row 8: SGD on ``h x²/2`` settles at ``E x² = lr σ²/(B h (2 - lr h))``.

    ``x`` is a first-order autoregression with factor ``ρ = 1 - lr·h``; from 0, ``E x_t²`` is ``1 -
    ρ^{2t}`` of the floor.

    Source: Liu, Ziyin and Ueda (2021), "Noise and fluctuation of finite learning rate stochastic
    gradient descent"; row 9, too.
    """
    lr, batch, h = 0.5, 4, (0.2, 1.0, 2.0, 3.0)
    settings = _noisy(h, _REPETITIONS, _STEPS, batch)
    run = train(*settings, "optimizer=sgd", f"lr={lr}", every=_EVERY)
    squares = _squares(run, len(h))
    for i, curvature in enumerate(h):
        predicted = lr * _NOISE**2 / (batch * curvature * (2 - lr * curvature))
        rho = 1 - lr * curvature
        late = squares[_SETTLED // _EVERY :, i]
        tolerance = five_errors(_REPETITIONS, rho ** (2 * _EVERY), len(late))
        steps = np.arange(1, 101) * _EVERY
        growing = predicted * (1 - rho ** (2 * steps))
        name = f"SGD, lr·h = {lr * curvature:g}"
        curve = VerifyCurve(name, steps, squares[1:101, i].numpy(), growing, panel=_FLOOR)
        experiment = f"SGD floor, lr·h={lr * curvature:g}, B={batch}: E x²"
        row, measured = f"8{'abcd'[i]}", float(late.mean())
        yield VerifyCheck(row, experiment, predicted, measured, tolerance, curves=(curve,))


def heavy_ball_floor() -> Iterator[VerifyCheck]:
    """Row 9: heavy ball settles at ``E x² = lr(1+β)σ²/(B(1-β)h(2(1+β) - lr h))``.

    ``x`` is a second-order autoregression with roots of modulus ``√β`` at these ``lr·h``.
    """
    lr, beta, h = 0.5, 0.9, (0.2, 1.0, 3.0)
    chosen = ("optimizer=momentum", f"optimizer.momentum={beta}", f"lr={lr}")
    run = train(*_noisy(h, _REPETITIONS, _STEPS), *chosen, every=_EVERY)
    squares = _squares(run, len(h))
    for i, curvature in enumerate(h):
        stiffness = (1 - beta) * curvature * (2 * (1 + beta) - lr * curvature)
        predicted = lr * (1 + beta) * _NOISE**2 / stiffness
        late = squares[_SETTLED // _EVERY :, i]
        tolerance = five_errors(_REPETITIONS, beta**_EVERY, len(late))
        steps = np.arange(1, 101) * _EVERY
        name = f"heavy ball, lr·h = {lr * curvature:g}"
        reached = np.full(100, predicted)
        curve = VerifyCurve(name, steps, squares[1:101, i].numpy(), reached, panel=_FLOOR)
        experiment = f"heavy-ball floor, β=0.9, lr·h={lr * curvature:g}: E x²"
        row, measured = f"9{'abc'[i]}", float(late.mean())
        yield VerifyCheck(row, experiment, predicted, measured, tolerance, curves=(curve,))


_RATES = "E x² on h x²/2: rates in T"


def inverse_time() -> Iterator[VerifyCheck]:
    """Row 10: with ``lr_t = 1/(h t)``, ``T·E x² = σ²/h²`` at every ``T``: the O(1/T).

    ``x_T`` is minus the mean of the noise so far, over ``h``.

    Source: Robbins and Monro (1951); Chung (1954).
    """
    h, repetitions, steps = 2.0, 40_000, 200
    settings = (*_noisy((h,), repetitions, steps), "schedule=inverse_time", "optimizer=sgd")
    run = train(*settings, f"lr={1 / h}", every=10)
    squares = _squares(run, 1)[1:, 0].numpy()
    counts = np.arange(1, len(squares) + 1) * 10.0
    predicted = _NOISE**2 / h**2
    rate = predicted / counts
    curve = VerifyCurve("lr 1/(h t)", counts, squares, rate, slope=-1.0, panel=_RATES)
    for row, place in (("10a", 0), ("10b", len(squares) - 1)):
        measured = float(counts[place] * squares[place])
        experiment = f"SGD, lr 1/(h t), T={counts[place]:.0f}: T·E x²"
        curves = (curve,) if place else ()
        tolerance = five_errors(repetitions)
        yield VerifyCheck(row, experiment, predicted, measured, tolerance, curves=curves)


def _gaps(run: Trajectory, weights: str) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and gaps of the evaluations after the start, as logged, ``[K]`` each."""
    rows = [row for row in run.evaluations if row[4] == weights and row[5] == "train" and row[0]]
    return np.array([row[0] for row in rows], float), np.array([row[7] for row in rows], float)


def averaging() -> Iterator[VerifyCheck]:
    """Row 11: the mean of all iterates has ``T·E x̄² -> σ²/h²`` at any stable constant rate.

    From 0 and with ``ρ = 1 - lr·h`` it is ``σ²/h²`` times the mean of ``(1 - ρ^k)²``, ``k = 1..T``.

    Source: Polyak and Juditsky (1992), "Acceleration of stochastic approximation by averaging".
    """
    h, repetitions, steps = 1.5, 40_000, 400
    for row, share in (("11a", 0.5), ("11b", 1.5)):
        settings = (*_noisy((h,), repetitions, steps), "dataset.n_samples=40", "eval.every=1")
        run = train(
            *settings, "optimizer=sgd", f"lr={share / h}", "average=polyak", every=10**9
        )  # fmt: skip
        counts, gaps = _gaps(run, "average")
        squares = 2 * gaps / h / repetitions
        known = np.square(1 - (1 - share) ** np.arange(1, steps + 1)).cumsum()[
            counts.astype(int) - 1
        ]
        predicted = _NOISE**2 / h**2 * known / counts
        rate, name = predicted / counts, f"average, lr·h = {share:g}"
        curves = (VerifyCurve(name, counts, squares, rate, slope=-1.0, panel=_RATES),)
        experiment = f"average of {steps} iterates, lr·h={share:g}: T·E x̄²"
        end, measured = float(predicted[-1]), float(steps * squares[-1])
        tolerance = five_errors(repetitions)
        yield VerifyCheck(row, experiment, end, measured, tolerance, curves=curves)


def convex_lipschitz() -> Iterator[VerifyCheck]:
    """Row 12: on ``|x|`` with unit gradient noise, lr ``1/√t`` gives O(1/√T), not better.

    Projected on [-1, 1], from 1. The slope is that of the mean suboptimality of 2,000 repetitions,
    fitted over 200 ``T`` from 100 to 20,000; -½ ± 0.05 for the last iterate, which stays about
    ``lr_T`` away. The mean of all iterates does better, as errors of both signs cancel.

    Source: Nemirovski, Juditsky, Lan and Shapiro (2009); last iterate: Shamir and Zhang (2013).
    """
    repetitions, steps = 2000, 20_000
    one = torch.ones(repetitions, dtype=torch.float64)
    run = train(
        "model=problem", "batch_size=1", "eval.every=1", f"max_steps={steps}", "average=polyak",
        "optimizer=sgd", "lr=1.0", "schedule=inverse_sqrt",
        data=dataset(Distance(one, Box(1.0), one), n_samples=100), every=10**9,
    )  # fmt: skip
    panel = "|x|, lr 1/√t: mean of |x|"
    slopes: list[float] = []
    curves: list[VerifyCurve] = []
    for weights, name, predicted in (("raw", "last iterate", -0.5), ("average", "average", None)):
        counts, gaps = _gaps(run, weights)
        gaps = gaps / repetitions
        slopes.append(slope(counts, gaps))
        curves.append(VerifyCurve(name, counts, gaps, slope=predicted, panel=panel))
    experiment = "SGD on |x|, lr 1/√t, T=100…20,000: slope of the last iterate"
    yield VerifyCheck("12a", experiment, -0.5, slopes[0], 0.05, "absolute", tuple(curves))
    experiment = "the same, average of the iterates: slope, steeper"
    yield VerifyCheck("12b", experiment, slopes[0], slopes[1], 0.0, "at_most")


def non_convex() -> Iterator[VerifyCheck]:
    """Row 33: with lr ``c/√T``, ``min_t E‖∇f‖²`` falls as ``T^-½`` or faster without convexity.

    On ``x²/4 + 1 - cos x`` from 3, where it is concave, with unit gradient noise. Also, with
    ``L = 3/2``, ``min_t E‖∇f‖² <= 2(f_0 - f*)/(lr T) + lr L σ²``.

    Source: Ghadimi and Lan (2013), "Stochastic first- and zeroth-order methods for nonconvex
    stochastic programming".
    """
    repetitions, c, lengths = 2000, 1.0, (32, 128, 512, 2048)
    start = torch.full((repetitions,), 3.0, dtype=torch.float64)
    ripples = Ripples(start, std=torch.ones_like(start))
    best: list[float] = []
    shares: list[float] = []
    for steps in lengths:
        lr = c / math.sqrt(steps)
        run = train(
            "model=problem", "batch_size=1", f"max_steps={steps}", "optimizer=sgd", f"lr={lr}",
            data=dataset(ripples, n_samples=steps), every=max(1, steps // 256),
        )  # fmt: skip
        best.append(float(ripples.slopes(run.iterates).square().mean(dim=1).min()))
        height = float(ripples.terms(start).mean())
        shares.append(best[-1] / (2 * height / (lr * steps) + lr * Ripples.SMOOTHNESS))
    counts = [float(steps) for steps in lengths]
    panel = "smooth, not convex: min E‖∇f‖²"
    curve = VerifyCurve("lr 1/√T", counts, best, slope=-0.5, panel=panel)
    experiment = "SGD, not convex, lr 1/√T, T=32…2048: slope of min E‖∇f‖²"
    fitted = slope(np.array(counts), np.array(best))
    yield VerifyCheck("33a", experiment, -0.5, fitted, 0.2, "at_most", (curve,))
    experiment = "the same: largest min E‖∇f‖² over its bound"
    yield VerifyCheck("33b", experiment, 1.0, max(shares), 0.0, "at_most")
