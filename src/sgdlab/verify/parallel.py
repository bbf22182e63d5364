"""Delayed, synchronous and local SGD: rows 26, 27 and 28."""

import math
from collections.abc import Iterator

import numpy as np

from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.equivalence import same
from sgdlab.verify.lab import train
from sgdlab.verify.stability import growth, largest_stable


def _stability(tau: int, limit: float, momentum: float) -> tuple[float, VerifyCurve]:
    """Return the largest stable lr·h as measured, and the decay of the first coordinate."""
    h = limit * np.linspace(0.9, 1.1, 40)
    length = 100 + 20 * tau
    run = train(
        "dataset=quadratic", f"dataset.eigenvalues={h.tolist()}", "dataset.n_samples=1",
        "optimizer=momentum", "lr=1.0", f"optimizer.momentum={momentum}", f"max_steps={length}",
        f"staleness.delay={tau}",
    )  # fmt: skip
    moduli = growth(run.iterates)
    # In windows of a period, so that the curve does not show each oscillation.
    period = 2 * (2 * tau + 1)
    ends = range(period, length + 1, period)
    heights = [float(run.iterates[end - period : end, 0].abs().max()) for end in ends]
    # z^{τ+1}·(z - 1) - μ·z^τ·(z - 1) + h = 0
    z = np.zeros(tau + 3)
    z[0], z[1], z[2] = 1.0, -1.0 - momentum, momentum
    z[tau + 2 if momentum else tau + 1] += h[0]
    if not momentum:
        z = z[:-1]
    slowest = float(np.abs(np.roots(z)).max())
    predicted = [heights[-1] * slowest ** (end - ends[-1]) for end in ends]
    steps = [float(end) for end in ends]
    panel = "late gradients, lr·h at 0.9 of the limit: amplitude"
    curve = VerifyCurve(f"{tau} steps late", steps, heights, predicted, panel=panel)
    return largest_stable(h, moduli), curve


def staleness() -> Iterator[VerifyCheck]:
    """Row 26: gradients of age τ on ``h x²/2`` are stable iff ``lr·h < 2 sin(π/(2(2τ+1)))``.

    Each run has 40 curvatures within a tenth of the limit as its coordinates, the limit not
    among them.
    """
    for tau in range(11):
        limit = 2 * math.sin(math.pi / (2 * (2 * tau + 1)))
        measured, curve = _stability(tau, limit, 0.0)
        curves = (curve,) if tau in (0, 1, 4, 10) else ()
        experiment = f"gradients {tau} steps late: largest stable lr·h"
        yield VerifyCheck("26", experiment, limit, measured, 1e-4, curves=curves)
    measured, curve = _stability(1, 0.1, 0.9)
    experiment = "the same, 1 step late, momentum 0.9"
    yield VerifyCheck("26m", experiment, 0.1, measured, 1e-4)


_DATA = ("dataset=least_squares", "epochs=5")


def synchronous() -> Iterator[VerifyCheck]:
    """Row 27: W workers with batches of B are one worker with a batch of W·B, the last one uneven.

    442 examples: the last batch of 64 has 58, and of 128 it has 58, so that two of four workers
    with 32 have nothing to do.
    """
    for row, optimizer, lr in (("27a", "sgd", 0.1), ("27b", "adamw", 0.02)):
        rate = (f"optimizer={optimizer}", f"lr={lr}")
        one = train(*_DATA, *rate, "batch_size=64").iterates
        four = train(*_DATA, *rate, "batch_size=16", "accumulate=4").iterates
        experiment = f"{optimizer}, 4 micro-batches of 16 = a batch of 64"
        yield same(row, experiment, four, one)
    for row, size in (("27c", 16), ("27d", 32)):
        rate = ("optimizer=sgd", "lr=0.1")
        one = train(*_DATA, *rate, f"batch_size={4 * size}").iterates
        four = train(*_DATA, *rate, f"batch_size={size}", "local_sgd.workers=4").iterates
        experiment = f"sgd, 4 workers of {size} = a batch of {4 * size}"
        yield same(row, experiment, four, one)


def local() -> Iterator[VerifyCheck]:
    """Row 28: local SGD that averages weights and momentum every step is synchronous SGD."""
    cases = (("28a", "momentum", 16), ("28b", "momentum", 32), ("28c", "nesterov", 32))
    for row, optimizer, size in cases:
        rate = (f"optimizer={optimizer}", "lr=0.02")
        one = train(*_DATA, *rate, f"batch_size={4 * size}").iterates
        four = train(*_DATA, *rate, f"batch_size={size}", "local_sgd.workers=4").iterates
        experiment = f"{optimizer}, 4 workers of {size}, H=1 = a batch of {4 * size}"
        yield same(row, experiment, four, one)
