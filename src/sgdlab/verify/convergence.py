"""Classes of convergence on real convex problems, in the gap to an optimum that SciPy confirms.

Logistic regression on ``breast_cancer`` and ridge regression on ``diabetes`` are smooth and, with
their penalty, strongly convex. For the gap ``E f - f*`` of such problems after ``T`` steps ``α_t``
theory has these bounds:

- batch: ``Π (1 - μ·α_t)`` for ``α_t <= 1/L``: a factor ``1 - μ/L`` per step at ``α = 1/L``;
- mini-batch and pure SGD: a floor in proportion to a constant ``α``; ``T^-½`` for ``1/√t``;
  ``T^-1`` for ``1/t``;
- the mean of all iterates (``average=polyak``): ``T^-1`` for all of them. For a batch at constant
  rate that is a loss, since the mean never forgets the start (it falls as ``T^-2`` here); for a
  noisy one it is a gain (down to a bias of order ``α²`` where the problem is not quadratic).

They are met from below: batches without replacement do better than the independent ones of theory
(Gürbüzbalaban, Ozdaglar and Parrilo 2021), and real Hessians than their worst eigenvalue.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import optimize
from scipy.special import expit

from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.gaps import GapCurves, curves, gaps, slope
from sgdlab.verify.lab import Trajectory, train

L2 = 0.1


@dataclass(frozen=True)
class Mode:
    """How many examples a step sees, and the settings that suit it.

    Attributes:
        name: Its name for a person.
        batch_size: The value of ``batch_size=`` on the command line.
        lr: A stable learning rate, in units of ``1/L``.
        steps: The number of steps of each run.
    """

    name: str
    batch_size: str
    lr: float
    steps: int


MODES = (
    Mode("batch", "full", 1.0, 300),
    Mode("mini-batch", "32", 0.5, 1000),
    Mode("pure SGD", "1", 0.1, 3000),
)


def _scipy_optimum(problem: str, rows: np.ndarray) -> float:
    """Return the smallest value of the objective, computed without any part of sgdlab."""
    if problem == "ridge":
        x, y = rows[:, :-1], rows[:, -1]

        def f(w: np.ndarray) -> tuple[float, np.ndarray]:
            value = 0.5 * float(np.mean((x @ w - y) ** 2)) + 0.5 * L2 * float(w @ w)
            return value, x.T @ (x @ w - y) / len(x) + L2 * w
    else:
        x = rows

        def f(w: np.ndarray) -> tuple[float, np.ndarray]:
            margin = x @ w
            value = float(np.mean(np.logaddexp(0, margin))) + 0.5 * L2 * float(w @ w)
            return value, x.T @ expit(margin) / len(x) + L2 * w

    found = optimize.minimize(f, np.zeros(x.shape[1]), jac=True, method="BFGS", tol=1e-10)
    return float(found.fun)


def settings(dataset: str, mode: Mode, lr: float) -> tuple[str, ...]:
    """Return the settings of SGD at a constant rate."""
    problem = (f"dataset={dataset}", f"dataset.l2={L2}", f"batch_size={mode.batch_size}")
    return (*problem, "optimizer=sgd", f"lr={lr}", f"max_steps={mode.steps}")


@dataclass(frozen=True)
class _Fit:
    """One run: its gaps from an eighth of its steps on, against ``t + s`` of its schedule."""

    run: Trajectory
    found: GapCurves
    shift: float

    @property
    def _late(self) -> np.ndarray:
        # Below 1e-12 of the first gap there is rounding.
        return (self.found.steps >= self.found.steps[-1] / 8) & (
            self.found.raw > 1e-12 * self.found.raw[0]
        )

    def last(self) -> float:
        """Return the slope of the last iterate's gap."""
        return slope(self.found.steps[self._late] + self.shift, self.found.raw[self._late])

    def mean(self) -> float:
        """Return the slope of the average's gap."""
        return slope(self.found.steps[self._late], self.found.average[self._late])

    def factor(self) -> float:
        """Return the factor by which the gap falls in a step."""
        log_gaps = np.log(self.found.raw[self._late])
        return float(np.exp(np.polyfit(self.found.steps[self._late], log_gaps, 1)[0]))

    def curves(
        self, panel: str, name: str, last: float | None, mean: float
    ) -> tuple[VerifyCurve, VerifyCurve]:
        """Return the run's two curves with the slopes of theory."""
        found, averaged = self.found, f"{panel}: gap of the average"
        return (
            VerifyCurve(name, found.steps, found.raw, slope=last, panel=f"{panel}: gap"),
            VerifyCurve(name, found.steps, found.average, slope=mean, panel=averaged),
        )


def classes(problem: str, dataset: str) -> Iterator[VerifyCheck]:
    """Batch, mini-batch and pure SGD x constant, 1/√t and 1/t x last iterate and average."""
    first = train(f"dataset={dataset}", f"dataset.l2={L2}", "optimizer=sgd", "max_steps=1")
    known = first.run.data.problem
    assert known is not None
    assert known.smoothness
    assert known.strong_convexity
    rows = first.run.data.train.x.numpy()
    best = _scipy_optimum(problem, rows)
    yield VerifyCheck(problem, "f* is that of SciPy's BFGS", best, known.optimum, 1e-10)
    for mode in MODES:
        yield from _mode(problem, dataset, mode, known.smoothness, known.strong_convexity)


def _mode(
    problem: str, dataset: str, mode: Mode, smooth: float, convex: float
) -> Iterator[VerifyCheck]:
    lr = mode.lr / smooth
    plain = settings(dataset, mode, lr)
    timescale = round(1 / (lr * convex))  # lr·timescale·μ = 1: the rate 1/t needs more than ½
    shifts = {"constant": 0, "inverse_sqrt": timescale // 4, "inverse_time": timescale}
    names = {"constant": "constant", "inverse_sqrt": "1/√t", "inverse_time": "1/t"}
    slopes = {"constant": None, "inverse_sqrt": -0.5, "inverse_time": -1.0}
    is_full = mode.batch_size == "full"
    check = partial(VerifyCheck, problem)
    for schedule, shift in shifts.items():
        chosen = (f"schedule={schedule}", *([f"schedule.timescale={shift}"] if shift else []))
        # Kept by the trainer where its gap is checked; elsewhere it is the mean of the iterates.
        run = train(*plain, *chosen, "average=polyak" if schedule == "constant" else "average=none")
        fit = _Fit(run, curves(run), shift)
        name = f"{mode.name}, {names[schedule]}"
        is_constant, theory = schedule == "constant", None if is_full else slopes[schedule]
        mean = -2.0 if is_full and is_constant else -1.0
        drawn = fit.curves(mode.name, names[schedule], theory, mean)
        if is_full and is_constant:
            experiment, bound = f"{name}: factor per step, bound 1 - μ/L", 1 - convex / smooth
            yield check(experiment, bound, fit.factor(), 0.0, "at_most", drawn)
        elif is_full:
            bound = float(np.log1p(-convex * np.array(run.column("lr"))).sum())
            fall = float(np.log(fit.found.raw[-1] / fit.found.raw[0]))
            experiment = f"{name}: log of the gap's fall, bound Σ log(1 - μα)"
            yield check(experiment, bound, fall, 0.0, "at_most", drawn)
        elif theory is None:
            experiment = f"{name}: stalls, last third over middle third"
            yield check(experiment, 1.0, _thirds(run), 0.35, "at_least", drawn)
            ratio = _floor(run) / _floor(train(*settings(dataset, mode, lr / 2)))
            yield check(f"{name}: floor over that at lr/2", 2.0, ratio, 0.15, "at_least")
        else:
            yield check(f"{name}: slope", theory, fit.last(), 0.2, "at_most", drawn)
        yield check(f"{name}, averaged: slope", mean, fit.mean(), 0.2, "at_most")
        if is_constant:
            logged = run.evaluations[-1][-1]
            assert isinstance(logged, float)
            last = float(fit.found.average[-1])
            yield check(f"{name}, averaged: gap as logged", last, logged, 1e-6)


def _floor(run: Trajectory) -> float:
    """Return the mean gap of the last three fifths of a run."""
    return float(gaps(run, run.iterates[len(run.iterates) * 2 // 5 :: 3]).mean())


def _thirds(run: Trajectory) -> float:
    """Return the mean gap of the last third of a run over that of the middle third."""
    third = len(run.iterates) // 3
    middle, last = (gaps(run, part[::3]).mean() for part in run.iterates[third:].split(third)[:2])
    return float(last / middle)


def logistic() -> Iterator[VerifyCheck]:
    """Logistic regression on ``breast_cancer``."""
    yield from classes("logistic", "logistic")


def ridge() -> Iterator[VerifyCheck]:
    """Ridge regression on ``diabetes``."""
    yield from classes("ridge", "least_squares")
