"""AdaGrad, RMSprop, Adam and their kin: rows 13 to 18."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.equivalence import same
from sgdlab.verify.lab import Trajectory, train
from sgdlab.verify.problems import Slope, dataset
from sgdlab.verify.schedules import CORRECTION

_MOVED = "constant gradient: distance moved"
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


def adagrad() -> Iterator[VerifyCheck]:
    """Row 13: under a constant gradient AdaGrad moves by ``lr·Σ 1/√t``, whatever its size.

    Source: Duchi, Hazan and Singer (2011), "Adaptive subgradient methods".
    """
    lr, steps = 0.1, 200
    run = _slide(_GRADIENTS, steps, "optimizer=adagrad", "optimizer.eps=0.0", f"lr={lr}")
    moved = (run.iterates - run.iterates[0]).abs()
    t = np.arange(1, steps + 1)
    distance = lr * (1 / np.sqrt(t)).cumsum()
    curve = VerifyCurve("AdaGrad", t, moved[1:, 1].numpy(), distance, panel=_MOVED)
    predicted = float(distance[-1])
    experiment = f"AdaGrad, constant gradient, {steps} steps: lr·Σ 1/√t"
    yield VerifyCheck(
        "13", experiment, predicted, _worst(moved[-1], predicted), 1e-12, curves=(curve,)
    )


def rmsprop() -> Iterator[VerifyCheck]:
    """Row 14: RMSprop's first step is ``lr/√(1-α)``, since its average starts at 0, uncorrected."""
    lr = 0.1
    for row, alpha in (("14a", 0.99), ("14b", 0.9)):
        chosen = ("optimizer=rmsprop", "optimizer.eps=0.0", f"optimizer.alpha={alpha}", f"lr={lr}")
        run = _slide(_GRADIENTS, 1, *chosen)
        predicted = lr / math.sqrt(1 - alpha)
        measured = _worst(run.iterates.diff(dim=0).abs(), predicted)
        experiment = f"RMSprop, α={alpha:g}: first step lr/√(1-α)"
        # 1 - α loses up to two digits.
        yield VerifyCheck(row, experiment, predicted, measured, 1e-12)


def adam() -> Iterator[VerifyCheck]:
    """Row 15: under a constant gradient every step of Adam is ``lr``, from the first one on.

    The two corrections make both averages exactly those of a constant.

    Source: Kingma and Ba (2015), "Adam: a method for stochastic optimization", section 2.1.
    """
    lr, steps = 0.1, 200
    run = _slide(_GRADIENTS, steps, "optimizer=adam", "optimizer.eps=0.0", f"lr={lr}")
    moves = run.iterates.diff(dim=0).abs()
    t = np.arange(1, steps + 1)
    moved = (run.iterates - run.iterates[0]).abs()[1:, 1].numpy()
    curve = VerifyCurve("Adam", t, moved, lr * t, panel=_MOVED)
    experiment = f"Adam, constant gradient: the step of {steps} furthest from lr"
    # 1 - 0.999^t loses three digits.
    yield VerifyCheck("15", experiment, lr, _worst(moves, lr), 1e-11, curves=(curve,))


def decay_only() -> Iterator[VerifyCheck]:
    """Row 16: without a gradient AdamW shrinks weights by ``1 - lr·wd``; Adam moves them by ``lr``.

    Adam divides the decay by its own size, so that ``weight_decay`` does not matter. While ``w``
    falls by the share ``lr·T`` its averages of ``wd·w`` differ by no more than that: the tolerance.

    Source: Loshchilov and Hutter (2019), "Decoupled weight decay regularization".
    """
    lr, decay, steps = 0.01, 0.1, 200
    scope = "decay.bias_and_norm=true"
    chosen = ("optimizer=adamw", f"lr={lr}", f"optimizer.weight_decay={decay}", scope)
    sizes = _slide((0.0,), steps, *chosen).iterates[1:, 0].numpy()
    t = np.arange(1, steps + 1)
    size = (1 - lr * decay) ** t
    panel = "no gradient, decay only: w"
    curves = (VerifyCurve("AdamW, lr 0.01, wd 0.1", t, sizes, size, panel=panel),)
    experiment = f"AdamW, decay only: w after {steps} steps"
    predicted, measured = float(size[-1]), float(sizes[-1])
    yield VerifyCheck("16a", experiment, predicted, measured, 1e-12, curves=curves)
    lr, steps = 1e-5, 100
    for row, decay in (("16b", 1e-4), ("16c", 0.1), ("16d", 10.0)):
        chosen = ("optimizer=adam", f"lr={lr}", f"optimizer.weight_decay={decay}", scope)
        sizes = _slide((0.0,), steps, *chosen, "optimizer.eps=0.0").iterates[:, 0]
        measured = float(sizes[0] - sizes[-1]) / steps
        experiment = f"Adam, L2 only, wd={decay:g}: mean step is lr"
        yield VerifyCheck(row, experiment, lr, measured, lr * steps)


def scale_free() -> Iterator[VerifyCheck]:
    """Row 17: Adam's iterates are the same when the loss is multiplied by 1e4."""
    h = np.geomspace(1.0, 0.01, 10)

    def run(scale: float) -> torch.Tensor:
        return train(
            "dataset=quadratic", f"dataset.eigenvalues={(scale * h).tolist()}",
            "dataset.rotate=true", "dataset.n_samples=100", "batch_size=1", "max_steps=100",
            "optimizer=adam", "optimizer.eps=0.0", "lr=0.01",
        ).iterates  # fmt: skip

    yield _same("17", "Adam, loss x 1e4 = loss", run(1e4), run(1.0))


def _same(row: str, experiment: str, one: torch.Tensor, other: torch.Tensor) -> VerifyCheck:
    check = same(row, experiment, one, other)
    panel = "same iterates: distance"
    return replace(check, curves=tuple(replace(curve, panel=panel) for curve in check.curves))


def huge_eps() -> Iterator[VerifyCheck]:
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
