"""AdaGrad, RMSprop, Adam and their kin: rows 13 to 19, 21 and 36."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from sgdlab.datasets.projection import Box
from sgdlab.verify.case import Check, Curve, Experiment
from sgdlab.verify.descent import around
from sgdlab.verify.equivalence import same
from sgdlab.verify.lab import Trajectory, train
from sgdlab.verify.noise import five_errors
from sgdlab.verify.parallel import growth, largest_stable
from sgdlab.verify.problems import Rows, Slope, dataset
from sgdlab.verify.schedules import CORRECTION

FAMILY = "adaptive"

_GRADIENTS = (1e-3, 1.0, -1.0, 1e3, -1e3)


def _slide(gradients: tuple[float, ...], steps: int, *overrides: str) -> Trajectory:
    """Train from 1 under a constant gradient."""
    c = torch.tensor(gradients, dtype=torch.float64)
    run = ("model=problem", "batch_size=1", f"max_steps={steps}", *overrides)
    return train(*run, data=dataset(Slope(torch.ones_like(c), c), n_samples=steps))


def _worst(values: torch.Tensor, predicted: float) -> float:
    """Return the value furthest from what all of them should be."""
    values = values.reshape(-1)
    return float(values[(values - predicted).abs().argmax()])


def adagrad() -> Iterator[Check]:
    """Row 13: under a constant gradient AdaGrad moves by ``lr·Σ 1/√t``, whatever its size.

    Source: Duchi, Hazan and Singer (2011), "Adaptive subgradient methods".
    """
    lr, steps = 0.1, 200
    run = _slide(_GRADIENTS, steps, "optimizer=adagrad", "optimizer.eps=0.0", f"lr={lr}")
    moved = (run.iterates - run.iterates[0]).abs()
    t = np.arange(1.0, steps + 1)
    predicted = lr * (1 / np.sqrt(t)).cumsum()
    curve = Curve("AdaGrad", t.tolist(), moved[1:, 1].tolist(), predicted.tolist(),
                  panel="constant gradient: distance moved")  # fmt: skip
    measured = _worst(moved[-1], float(predicted[-1]))
    experiment = f"AdaGrad, constant gradient, {steps} steps: lr·Σ 1/√t"
    yield Check("13", FAMILY, experiment, float(predicted[-1]), measured, 1e-12, curves=(curve,))


def rmsprop() -> Iterator[Check]:
    """Row 14: RMSprop's first step is ``lr/√(1-α)``, since its average starts at 0, uncorrected."""
    lr = 0.1
    for row, alpha in (("14a", 0.99), ("14b", 0.9)):
        chosen = ("optimizer=rmsprop", "optimizer.eps=0.0", f"optimizer.alpha={alpha}", f"lr={lr}")
        run = _slide(_GRADIENTS, 1, *chosen)
        predicted = lr / math.sqrt(1 - alpha)
        measured = _worst(run.iterates.diff(dim=0).abs(), predicted)
        experiment = f"RMSprop, α={alpha:g}: first step lr/√(1-α)"
        # 1 - α loses up to two digits.
        yield Check(row, FAMILY, experiment, predicted, measured, 1e-12)


def adam() -> Iterator[Check]:
    """Row 15: under a constant gradient every step of Adam is ``lr``, from the first one on.

    The two corrections make both averages exactly those of a constant.

    Source: Kingma and Ba (2015), "Adam: a method for stochastic optimization", section 2.1.
    """
    lr, steps = 0.1, 200
    run = _slide(_GRADIENTS, steps, "optimizer=adam", "optimizer.eps=0.0", f"lr={lr}")
    moves = run.iterates.diff(dim=0).abs()
    t = np.arange(1.0, steps + 1)
    moved = (run.iterates - run.iterates[0]).abs()[1:, 1]
    curve = Curve("Adam", t.tolist(), moved.tolist(), (lr * t).tolist(),
                  panel="constant gradient: distance moved")  # fmt: skip
    experiment = f"Adam, constant gradient: the step of {steps} furthest from lr"
    # 1 - 0.999^t loses three digits.
    yield Check("15", FAMILY, experiment, lr, _worst(moves, lr), 1e-11, curves=(curve,))


def decay_only() -> Iterator[Check]:
    """Row 16: without a gradient AdamW shrinks weights by ``1 - lr·wd``; Adam moves them by ``lr``.

    Adam divides the decay by its own size, so that ``weight_decay`` does not matter. While ``w``
    falls by the share ``lr·T`` its averages of ``wd·w`` differ by no more than that: the tolerance.

    Source: Loshchilov and Hutter (2019), "Decoupled weight decay regularization".
    """
    lr, decay, steps = 0.01, 0.1, 200
    scope = "decay.bias_and_norm=true"
    chosen = ("optimizer=adamw", f"lr={lr}", f"optimizer.weight_decay={decay}", scope)
    sizes = _slide((0.0,), steps, *chosen).iterates[:, 0]
    t = np.arange(1.0, steps + 1)
    predicted = (1 - lr * decay) ** t
    curve = Curve("AdamW, lr 0.01, wd 0.1", t.tolist(), sizes[1:].tolist(), predicted.tolist(),
                  panel="no gradient, decay only: w")  # fmt: skip
    experiment = f"AdamW, decay only: w after {steps} steps"
    yield Check("16a", FAMILY, experiment, float(predicted[-1]), float(sizes[-1]), 1e-12,
                curves=(curve,))  # fmt: skip
    lr, steps = 1e-5, 100
    for row, decay in (("16b", 1e-4), ("16c", 0.1), ("16d", 10.0)):
        chosen = ("optimizer=adam", f"lr={lr}", f"optimizer.weight_decay={decay}", scope)
        sizes = _slide((0.0,), steps, *chosen, "optimizer.eps=0.0").iterates[:, 0]
        measured = float(sizes[0] - sizes[-1]) / steps
        experiment = f"Adam, L2 only, wd={decay:g}: mean step is lr"
        yield Check(row, FAMILY, experiment, lr, measured, lr * steps)


def scale_free() -> Iterator[Check]:
    """Row 17: Adam's iterates are the same when the loss is multiplied by 1e4."""
    h = np.geomspace(1.0, 0.01, 10)

    def run(scale: float) -> torch.Tensor:
        return train(
            "dataset=quadratic", f"dataset.eigenvalues={(scale * h).tolist()}",
            "dataset.rotate=true", "dataset.n_samples=100", "batch_size=1", "max_steps=100",
            "optimizer=adam", "optimizer.eps=0.0", "lr=0.01",
        ).iterates  # fmt: skip

    yield _same("17", "Adam, loss x 1e4 = loss", run(1e4), run(1.0))


def _same(row: str, experiment: str, one: torch.Tensor, other: torch.Tensor) -> Check:
    check = same(row, FAMILY, experiment, one, other)
    panel = "same iterates: distance"
    return replace(check, curves=tuple(replace(curve, panel=panel) for curve in check.curves))


def huge_eps() -> Iterator[Check]:
    """Row 18: with an eps that swamps the root, Adam is the heavy ball.

    At the rates ``lr_t = eps·η/(1-β1)·(1-β1^t)``: then ``lr_t·m_t/(1-β1^t)/eps = η·v_t`` with the
    velocity ``v``.
    """
    eta, beta, eps = 0.3, 0.9, 1e20
    problem = ("dataset=quadratic", "dataset.dim=10", "dataset.condition=20.0",
               "dataset.rotate=true", "dataset.n_samples=100", "batch_size=1",
               "max_steps=100")  # fmt: skip
    ball = train(*problem, "optimizer=momentum", f"lr={eta}", f"optimizer.momentum={beta}")
    rate = (f"lr={eps * eta / (1 - beta)}", f"optimizer.eps={eps}", CORRECTION)
    huge = train(*problem, "optimizer=adam", f"optimizer.betas=[{beta},0.999]", *rate)
    yield _same("18", "Adam with eps 1e20 = heavy ball", huge.iterates, ball.iterates)


def reddi() -> Iterator[Check]:
    """Row 19: where one gradient in three is ``C = 3`` and two are -1, Adam ends at the worst point.

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
        gaps = ((run.iterates[counts, 0] + 1) * (big - 2) / 3).tolist()
        curve = Curve(name, counts.astype(float).tolist(), gaps, panel="Reddi's problem: f - f*")
        experiment = f"{name} on Reddi's problem: w after {steps} steps"
        yield Check(row, FAMILY, experiment, end, float(run.iterates[-1, 0]), tolerance,
                    "absolute", (curve,))  # fmt: skip


_FLOOR_REPETITIONS = 8000


def batch_scaling() -> Iterator[Check]:
    """Row 21: when noise dominates, Adam's floor keeps with the batch under the square-root rule.

    The root of ``v`` is then ``σ/√B``, so that Adam is a heavy ball at the rate ``(1-β1)·lr·√B/σ``
    with the floor ``E x² = lr σ/(2h√B)`` (row 9 at small rates). For a batch 16 times as large the
    ratio of the floors is 1 under ``scaling=sqrt``, 4 under ``linear``, ¼ under ``none``. Runs start
    at the formula's floor, and are measured from a third of their length on; tolerances are five
    standard errors.

    Source: Malladi, Lyu, Panigrahi and Arora (2022), "On the SDEs and scaling rules for adaptive
    gradient algorithms".
    """
    lr, larger = 1e-3, 16
    base, off = _floor(lr, 1, "none", 3000)
    experiment = "Adam, noise-dominated, B=1: floor E x² = lr·σ/(2h)"
    yield Check("21a", FAMILY, experiment, lr / 2, base, off)
    for row, rule, factor in (("21b", "sqrt", 4), ("21c", "linear", 16), ("21d", "none", 1)):
        floor, its_off = _floor(lr, larger, rule, 900)
        predicted = factor / math.sqrt(larger)
        experiment = f"Adam, batch x 16, scaling={rule}: ratio of the floors"
        tolerance = math.hypot(off, its_off)
        yield Check(row, FAMILY, experiment, predicted, floor / base, tolerance)


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


def frozen() -> Iterator[Check]:
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
        yield Check(row, FAMILY, experiment, limit, measured, 1e-7)


EXPERIMENTS: tuple[Experiment, ...] = (
    adagrad,
    rmsprop,
    adam,
    decay_only,
    scale_free,
    huge_eps,
    reddi,
    batch_scaling,
    frozen,
)
