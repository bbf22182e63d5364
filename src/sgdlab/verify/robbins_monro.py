"""The step sizes of stochastic approximation: row 25."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sgdlab.verify.case import Kind, VerifyCheck, VerifyCurve
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
    n, c = np.arange(1, _STEPS + 1), _RATE
    shown = np.unique(np.geomspace(1, _STEPS, 100).astype(int)) - 1

    def whole(
        row: str, text: str, name: str, sums: np.ndarray, bound: np.ndarray, kind: Kind,
        limit: float | None = None,
    ) -> VerifyCheck:  # fmt: skip
        curve = VerifyCurve(name, n[shown], sums[shown], bound[shown], panel="sums to N")
        predicted = float(bound[-1]) if limit is None else limit
        return VerifyCheck(row, text, predicted, float(sums[-1]), 1e-12, kind, (curve,))

    def doubling(row: str, text: str, sums: np.ndarray, predicted: float) -> VerifyCheck:
        added = float(sums[-1] - sums[_STEPS // 2 - 1])
        return VerifyCheck(row, text, predicted, added, 1e-3)

    rates = _rates("inverse_time")
    total, squares, name = rates.cumsum(), np.square(rates).cumsum(), f"c/t, {_STEPS} steps:"
    drawn, bound = "c/t: Σα, bound c ln(N+1)", c * np.log(n + 1)
    yield whole("25a", f"{name} Σα at least c ln(N+1)", drawn, total, bound, "at_least")
    yield doubling("25b", f"{name} the last doubling adds c ln 2 to Σα", total, c * math.log(2))
    drawn, bound, limit = "c/t: Σα², bound c²(2 - 1/N)", c**2 * (2 - 1 / n), c**2 * math.pi**2 / 6
    text = f"{name} Σα² at most c²π²/6"
    yield whole("25c", text, drawn, squares, bound, "at_most", limit)
    text = f"{name} the last doubling adds c²/N to Σα² at most"
    added = doubling("25d", text, squares, c**2 / (_STEPS // 2))
    yield replace(added, tolerance=1e-12, kind="at_most")

    rates = _rates("inverse_sqrt")
    total, squares, name = rates.cumsum(), np.square(rates).cumsum(), f"c/√t, {_STEPS} steps:"
    drawn, bound = "c/√t: Σα, bound 2c(√(N+1) - 1)", 2 * c * (np.sqrt(n + 1) - 1)
    yield whole("25e", f"{name} Σα at least 2c(√(N+1) - 1)", drawn, total, bound, "at_least")
    drawn, bound = "c/√t: Σα², bound c² ln(N+1)", c**2 * np.log(n + 1)
    yield whole("25f", f"{name} Σα² at least c² ln(N+1)", drawn, squares, bound, "at_least")
    text = f"{name} the last doubling adds c² ln 2 to Σα²"
    yield doubling("25g", text, squares, c**2 * math.log(2))
