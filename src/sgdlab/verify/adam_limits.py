"""Where Adam's rule ends, how its floor scales, and when it is stable: rows 19, 21 and 36."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from sgdlab.datasets.projection import Box
from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.lab import train
from sgdlab.verify.noise import five_errors
from sgdlab.verify.problems import Rows, dataset
from sgdlab.verify.stability import around, growth, largest_stable


def reddi() -> Iterator[VerifyCheck]:
    """Row 19: with one gradient of ``C = 3`` in three and two of -1, Adam ends at the worst point.

    On [-1, 1] their mean ``w/3`` is least at -1. With ``β1 = 0`` and ``β2 = 1/(1 + C²)`` Adam
    divides the rare large gradient by its own size and forgets it: it ends at +1, AMSGrad, which
    does not forget, at -1. The three gradients come in a new order in every epoch. Within an epoch
    ``w`` moves up to twice the rate away from the end point: the tolerance.

    Source: Reddi, Kale and Kumar (2018), "On the convergence of Adam and beyond", theorem 1.
    """
    big, lr, steps = 3.0, 0.5, 1500
    x = torch.tensor([[big], [-1.0], [-1.0]])
    start = torch.zeros(1, dtype=torch.float64)
    tolerance = 2 * lr / math.sqrt(steps)
    for row, name, amsgrad, end in (
        ("19a", "Adam", "false", 1.0),
        ("19b", "AMSGrad", "true", -1.0),
    ):
        run = train(
            "model=problem", "batch_size=1", f"max_steps={steps}", "schedule=inverse_sqrt",
            "optimizer=adam", f"optimizer.betas=[0.0,{1 / (1 + big**2)}]", f"lr={lr}",
            f"optimizer.amsgrad={amsgrad}",
            data=dataset(Rows(start, Box(1.0)), optimum=-(big - 2) / 3, x=x),
        )  # fmt: skip
        counts = np.unique(np.geomspace(1, steps, 150).astype(int))
        gaps = (run.iterates[counts, 0].numpy() + 1) * (big - 2) / 3
        curve = VerifyCurve(name, counts, gaps, panel="Reddi's problem: f - f*")
        experiment = f"{name} on Reddi's problem: w after {steps} steps"
        measured = float(run.iterates[-1, 0])
        yield VerifyCheck(row, experiment, end, measured, tolerance, "absolute", (curve,))


_FLOOR_REPETITIONS = 8000


def batch_scaling() -> Iterator[VerifyCheck]:
    """Row 21: when noise dominates, Adam's floor keeps with the batch under the square-root rule.

    The root of ``v`` is then ``σ/√B``, so that Adam is a heavy ball at the rate ``(1-β1)·lr·√B/σ``
    with the floor ``E x² = lr σ/(2h√B)`` (row 9 at small rates). For a batch 16 times as large the
    ratio of the floors is 1 under ``scaling=sqrt``, 4 under ``linear``, ¼ under ``none``. Runs
    start at the formula's floor, and are measured from a third of their length on; tolerances are
    five standard errors.

    Source: Malladi, Lyu, Panigrahi and Arora (2022), "On the SDEs and scaling rules for adaptive
    gradient algorithms".
    """
    lr, larger = 1e-3, 16
    base, off = _floor(lr, 1, "none", 3000)
    experiment = "Adam, noise-dominated, B=1: floor E x² = lr·σ/(2h)"
    yield VerifyCheck("21a", experiment, lr / 2, base, off)
    for row, rule, factor in (("21b", "sqrt", 4), ("21c", "linear", 16), ("21d", "none", 1)):
        floor, its_off = _floor(lr, larger, rule, 900)
        predicted = factor / math.sqrt(larger)
        experiment = f"Adam, batch x 16, scaling={rule}: ratio of the floors"
        tolerance = math.hypot(off, its_off)
        yield VerifyCheck(row, experiment, predicted, floor / base, tolerance)


def _floor(lr: float, batch: int, rule: str, steps: int) -> tuple[float, float]:
    """Return ``E x²`` for ``h = σ = 1``, and five standard errors of it, relative."""
    root = math.sqrt(batch)
    rate = lr * {"none": 1.0, "sqrt": root, "linear": batch}[rule] * root
    generator = torch.Generator().manual_seed(batch)
    start = torch.randn(_FLOOR_REPETITIONS, generator=generator, dtype=torch.float64)
    run = train(
        "dataset=noisy_quadratic", "dataset.eigenvalues=[1.0]",
        f"dataset.repetitions={_FLOOR_REPETITIONS}", f"dataset.n_samples={batch * steps}",
        f"batch_size={batch}", f"max_steps={steps}", "optimizer=adam", f"lr={lr}",
        f"scaling={rule}", "scaling.base_batch_size=1",
        start=start * math.sqrt(rate / 2) / root, every=10,
    )  # fmt: skip
    late = run.iterates[steps // 30 :]
    tolerance = five_errors(_FLOOR_REPETITIONS, (1 - rate) ** 20, len(late))
    return float(late.square().mean()), tolerance


def frozen() -> Iterator[VerifyCheck]:
    """Row 36: largest stable ``lr·h`` over a frozen preconditioner: 38 for Adam, 13.57 for NAdam.

    ``2(1+β1)/(1-β1)`` and ``2(1+β)/((1-β)(1+2β))``: the heavy ball's and Nesterov's limits (rows 6b
    and 6c) over ``1-β``. Frozen by an eps of 1e60, beside which the root of ``v`` is nothing, with
    ``lr`` in units of it; 300 steps, after which the corrections of the first moment are 1 to
    rounding. NAdam's momentum is at its limit ``β1`` from the first step on (``momentum_decay``).

    Source: Cohen, Ghorbani, Krishnan, Agarwal, Medapati et al. (2022), "Adaptive gradient methods
    at the edge of stability".
    """
    beta, eps = 0.9, 1e60
    for row, optimizer, limit in (
        ("36a", "adam", 2 * (1 + beta) / (1 - beta)),
        ("36b", "nadam", 2 * (1 + beta) / ((1 - beta) * (1 + 2 * beta))),
    ):
        h = around(limit)
        at_limit = ("optimizer.momentum_decay=1000.0",) if optimizer == "nadam" else ()
        run = train(
            "dataset=quadratic", f"dataset.eigenvalues={h.tolist()}", "dataset.n_samples=300",
            "batch_size=1", "max_steps=300", f"optimizer={optimizer}", f"lr={eps}",
            f"optimizer.eps={eps}", f"optimizer.betas=[{beta},0.999]", *at_limit,
        )  # fmt: skip
        measured = largest_stable(h, growth(run.iterates))
        experiment = f"{optimizer}, preconditioner frozen: largest stable lr·h"
        yield VerifyCheck(row, experiment, limit, measured, 1e-7)
