"""Gaps to a known optimum along a run, and the slopes fitted to them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.func import functional_call, vmap

from sgdlab.verify.lab import Trajectory

_POINTS = 40


def gaps(run: Trajectory, iterates: torch.Tensor) -> np.ndarray:
    """Return ``f(w) - f*`` for parameters ``[K, d]``, by the run's own model and data."""
    problem, x = run.run.data.problem, run.run.data.train.x
    assert problem is not None
    model = run.run.model.eval()

    def value(w: torch.Tensor) -> torch.Tensor:
        return functional_call(model, {"w": w}, (x,)).mean()

    return vmap(value)(iterates).numpy() - problem.optimum


def slope(steps: np.ndarray, values: np.ndarray) -> float:
    """Return the least-squares slope of log(value) against log(step); NaN below rounding."""
    if not (values > 0).all():
        return float("nan")
    return float(np.polyfit(np.log(steps), np.log(values), 1)[0])


@dataclass(frozen=True)
class GapCurves:
    """Gaps of a run at steps with even logarithms, of the iterates and of their mean.

    Attributes:
        steps: ``[K]``, from 1 to ``T``.
        raw: Mean gap of up to 60 iterates within a fifth of each step, ``[K]``.
        average: Gap of the mean of all iterates up to each step, the start aside, ``[K]``.
    """

    steps: np.ndarray
    raw: np.ndarray
    average: np.ndarray


def curves(run: Trajectory) -> GapCurves:
    """Return the gaps of a run."""
    total = len(run.iterates) - 1
    steps = np.unique(np.geomspace(1, total, _POINTS).astype(int))
    near = [np.unique(np.geomspace(t / 1.2, min(1.2 * t, total), 60).astype(int)) for t in steps]
    raw = [float(gaps(run, run.iterates[rows]).mean()) for rows in near]
    counts = torch.arange(1, total + 1, dtype=torch.float64)[:, None]
    means = run.iterates[1:].cumsum(dim=0) / counts
    return GapCurves(steps.astype(float), np.array(raw), gaps(run, means[steps - 1]))
