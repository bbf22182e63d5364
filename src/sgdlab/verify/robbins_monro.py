"""The step sizes of stochastic approximation: row 25."""

import math
from collections.abc import Iterator

import numpy as np

from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.lab import train


_RATE, _STEPS = 0.5, 1000


def _rates(schedule: str) -> np.ndarray:
    """Return the learning rates of a run, as logged."""
    problem = ("dataset=quadratic", "dataset.dim=1", "dataset.n_samples=1", "optimizer=sgd")
    run = train(*problem, f"schedule={schedule}", f"lr={_RATE}", f"max_steps={_STEPS}", every=10**9)
    return np.array(run.column("lr"))


def step_sizes() -> Iterator[VerifyCheck]:
    """Row 25: ``Σ α`` diverges for c/t and c/√t; ``Σ α²`` converges for c/t only.

    By the integral bounds ``∫_1^{N+1} <= Σ <= f(1) + ∫_1^N``; what diverges does so because each
    doubling of ``N`` adds as much again, ``c ln 2`` (``c² ln 2``), or more.
    """
    n = np.arange(1, _STEPS + 1)
    half = _STEPS // 2
    inverse, root = _rates("inverse_time"), _rates("inverse_sqrt")

    shown = np.unique(np.geomspace(1, _STEPS, 100).astype(int)) - 1

    def curve(name: str, values: np.ndarray, bound: np.ndarray) -> VerifyCurve:
        steps = n[shown].astype(float).tolist()
        return VerifyCurve(
            name, steps, values[shown].tolist(), bound[shown].tolist(), panel="sums to N"
        )

    total = inverse.cumsum()
    low = curve("c/t: Σα, bound c ln(N+1)", total, _RATE * np.log(n + 1))
    name = f"c/t, {_STEPS} steps:"
    yield VerifyCheck("25a", f"{name} Σα at least c ln(N+1)", low.predicted[-1],
                float(total[-1]), 1e-12, "at_least", (low,))  # fmt: skip
    added = float(total[-1] - total[half - 1])
    yield VerifyCheck("25b", f"{name} the last doubling adds c ln 2 to Σα",
                _RATE * math.log(2), added, 1e-3)  # fmt: skip
    squares = np.square(inverse).cumsum()
    high = curve("c/t: Σα², bound c²(2 - 1/N)", squares, _RATE**2 * (2 - 1 / n))
    yield VerifyCheck("25c", f"{name} Σα² at most c²π²/6", _RATE**2 * math.pi**2 / 6,
                float(squares[-1]), 1e-12, "at_most", (high,))  # fmt: skip
    added = float(squares[-1] - squares[half - 1])
    yield VerifyCheck("25d", f"{name} the last doubling adds c²/N to Σα² at most",
                _RATE**2 / half, added, 1e-12, "at_most")  # fmt: skip

    total = root.cumsum()
    low = curve("c/√t: Σα, bound 2c(√(N+1) - 1)", total, 2 * _RATE * (np.sqrt(n + 1) - 1))
    name = f"c/√t, {_STEPS} steps:"
    yield VerifyCheck("25e", f"{name} Σα at least 2c(√(N+1) - 1)", low.predicted[-1],
                float(total[-1]), 1e-12, "at_least", (low,))  # fmt: skip
    squares = np.square(root).cumsum()
    low = curve("c/√t: Σα², bound c² ln(N+1)", squares, _RATE**2 * np.log(n + 1))
    yield VerifyCheck("25f", f"{name} Σα² at least c² ln(N+1)", low.predicted[-1],
                float(squares[-1]), 1e-12, "at_least", (low,))  # fmt: skip
    added = float(squares[-1] - squares[half - 1])
    yield VerifyCheck("25g", f"{name} the last doubling adds c² ln 2 to Σα²",
                _RATE**2 * math.log(2), added, 1e-3)  # fmt: skip
