"""Rules that must give the same iterates, and those that must not: rows 20, 23, 24, 29 and 35."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.lab import Trajectory, train
from sgdlab.verify.problems import Slope, dataset

_QUADRATIC = (
    "dataset=quadratic", "dataset.dim=10", "dataset.condition=20.0", "dataset.rotate=true",
    "dataset.n_samples=4", "max_steps=100",
)  # fmt: skip
_RIDGE = ("dataset=least_squares", "batch_size=64", "epochs=10", "decay.bias_and_norm=true")


def distances(one: Tensor, other: Tensor) -> Tensor:
    """Return how far two trajectories are apart, relative to the longest vector of the second.

    Args:
        one: Iterates ``[T, d]``.
        other: The same number of them.

    Returns:
        ``[T]``; a NaN in either trajectory stays one.
    """
    size = torch.linalg.vector_norm(other, dim=1).max()
    return torch.linalg.vector_norm(one - other, dim=1) / size


def same(
    row: str, experiment: str, one: Tensor, other: Tensor, tolerance: float = 1e-12
) -> VerifyCheck:
    """Return the check that two trajectories ``[T, d]`` agree to rounding."""
    apart = distances(one, other).numpy()
    panel = "distance of equal twins, relative"
    curve = VerifyCurve(experiment, np.arange(1, len(apart) + 1), apart, panel=panel)
    measured = float(apart.max()) if np.isfinite(apart).all() else math.nan
    return VerifyCheck(row, experiment, 0.0, measured, tolerance, "absolute", (curve,))


def _found(run: Trajectory, key: str) -> float:
    """Return what the optimizer found out; NaN for nothing."""
    value = run.run.optimizer.findings()[key]  # type: ignore[attr-defined]
    return math.nan if value is None else float(value)


def swats() -> Iterator[VerifyCheck]:
    """Row 20: with an eps that swamps the root, SWATS's Adam steps like SGD; it must find that lr.

    With ``lr = η·eps`` and ``β₁ = 0`` its ``k``-th step is ``-η·sqrt(1 - β₂^k)·g`` to 1e-12: SGD's
    for ``β₂ = 0``. For another ``β₂`` and a tolerance that lets it switch at once, it learns the
    corrected average of two rates, ``(β₂·γ₁ + γ₂)/(1 + β₂)``.
    """
    eta, eps = 0.3, 1e12
    adam = ("optimizer=swats", f"lr={eta * eps}", f"optimizer.eps={eps}")
    learned = train(*_QUADRATIC, *adam, "optimizer.betas=[0.0,0.0]")
    plain = train(*_QUADRATIC, "optimizer=sgd", f"lr={eta}")
    rate, step = _found(learned, "switch_lr"), _found(learned, "switch_step")
    name = "SWATS on SGD steps"
    yield VerifyCheck("20a", f"{name}: learned lr p·p/(-p·g)", eta, rate, 1e-10)
    yield VerifyCheck("20b", f"{name}: switches at step", 2, step, 0.0, "absolute")
    experiment = f"{name}: iterates before and after"
    yield same("20c", experiment, learned.iterates, plain.iterates, 1e-10)
    beta = 0.9
    hasty = ("optimizer.switch_tolerance=1.0e+9", f"optimizer.betas=[0.0,{beta}]", "max_steps=3")
    learned = train(*_QUADRATIC, *adam, *hasty)
    predicted = eta * (beta * math.sqrt(1 - beta) + math.sqrt(1 - beta**2)) / (1 + beta)
    measured = _found(learned, "switch_lr")
    yield VerifyCheck("20d", f"{name}: average of two rates, corrected", predicted, measured, 1e-10)


def nesterov_forms() -> Iterator[VerifyCheck]:
    """Row 23: torch's Nesterov holds the look-ahead points of the published form.

    ``θ̂_t = θ_t - η·μ·v_t = θ_t + μ·(θ_t - θ_{t-1})`` at a constant rate.
    """
    rates = ("lr=0.5", "optimizer.momentum=0.9")
    decay = ("optimizer.weight_decay=0.1", "decay.bias_and_norm=true")
    for row, experiment, more in (
        ("23a", "Nesterov in torch's form = look-ahead points", ()),
        ("23b", "the same with weight decay", decay),
    ):
        torchs = train(*_QUADRATIC, "optimizer=nesterov", *rates, *more).iterates
        ours = train(*_QUADRATIC, "optimizer=nesterov_lookahead", *rates, *more).iterates
        ahead = torch.cat([ours[:1], ours[1:] + 0.9 * (ours[1:] - ours[:-1])])
        yield same(row, experiment, torchs, ahead)


def heavy_ball_forms() -> Iterator[VerifyCheck]:
    """Row 24: Keras's velocity holds the rate, torch's does not; they part when the rate drops.

    With gradient 1 and velocities at their limits, the ``k``-th step after a drop from ``η`` to
    ``η'`` is ``1 + μ^k·(η/η' - 1)`` times torch's.
    """
    rates = ("lr=0.5", "optimizer.momentum=0.9")
    torchs = train(*_QUADRATIC, "optimizer=momentum", *rates).iterates
    keras = train(*_QUADRATIC, "optimizer=keras_sgd", *rates).iterates
    yield same("24a", "heavy ball: Keras's form = torch's, constant lr", keras, torchs)

    one = torch.ones(1, dtype=torch.float64)
    slope = dataset(Slope(one, one))
    drop, after, mu, ratio = 300, 40, 0.9, 10.0
    settings = (
        "model=problem", f"max_steps={drop + after}", "schedule=step", "schedule.gamma=0.1",
        f"schedule.milestones=[{drop}]", "lr=1.0", f"optimizer.momentum={mu}",
    )  # fmt: skip
    torchs = train("optimizer=momentum", *settings, data=slope).iterates[:, 0]
    keras = train("optimizer=keras_sgd", *settings, data=slope).iterates[:, 0]
    longer = (keras.diff() / torchs.diff())[drop:].numpy()
    k = np.arange(1, after + 1)
    panel = "Keras's step over torch's, less 1, after lr/10"
    excess = mu**k * (ratio - 1)
    curve = VerifyCurve("after k steps: μ^k·(η/η' - 1)", k, longer - 1, excess, panel=panel)
    experiment = "Keras's first step over torch's after lr/10"
    predicted = mu * ratio + (1 - mu)
    yield VerifyCheck("24b", experiment, predicted, float(longer[0]), 1e-10, curves=(curve,))
    experiment = "the same, 20 steps after the drop"
    predicted = 1 + mu**20 * (ratio - 1)
    yield VerifyCheck("24c", experiment, predicted, float(longer[19]), 1e-10)


def kiefer_wolfowitz() -> Iterator[VerifyCheck]:
    """Row 29: on a quadratic central differences are the gradient, whatever their width."""
    gradient = train(*_QUADRATIC, "optimizer=sgd", "lr=1.0", "max_steps=30")
    for row, width in (("29a", 1.0), ("29b", 0.01)):
        settings = ("lr=1.0", f"optimizer.width={width}", "max_steps=30")
        found = train(*_QUADRATIC, "optimizer=kiefer_wolfowitz", *settings)
        experiment = f"Kiefer–Wolfowitz, width {width:g} = gradient step"
        yield same(row, experiment, found.iterates, gradient.iterates)


def penalty_and_decay() -> Iterator[VerifyCheck]:
    """Row 35: a penalty ``λ‖w‖²`` in the loss is coupled ``weight_decay = 2λ``, for any optimizer.

    That is torch's own form in SGD and Adam. Decay that does not pass through the gradient is the
    same for plain SGD only: AdamW, and Adam with ``decay.mode=decoupled``, end elsewhere than Adam
    on the penalised loss.
    """
    decay = 0.2  # of least_squares: l2/2·‖w‖² with l2 = 2λ
    rates = {"sgd": 0.1, "momentum": 0.02, "adam": 0.02}
    penalised: dict[str, Tensor] = {}
    for row, optimizer, mode, is_same in (
        ("35a", "sgd", None, True),
        ("35b", "sgd", "decoupled", True),
        ("35c", "adam", None, True),
        ("35d", "adam", "decoupled", False),
        ("35e", "adamw", None, False),
        ("35f", "adamw", "coupled", True),
        ("35g", "momentum", None, True),
        ("35h", "momentum", "decoupled", False),
    ):
        twin = "adam" if optimizer == "adamw" else optimizer
        rate = f"lr={rates[twin]}"
        if twin not in penalised:
            loss = (f"dataset.l2={decay}", "optimizer.weight_decay=0.0")
            penalised[twin] = train(*_RIDGE, f"optimizer={twin}", rate, *loss).iterates
        own = ("dataset.l2=0.0", f"optimizer.weight_decay={decay}", f"decay.mode={mode or 'null'}")
        decayed = train(*_RIDGE, f"optimizer={optimizer}", rate, *own).iterates
        name = f"{optimizer}, {mode or 'its own'} decay 2λ"
        if is_same:
            yield same(row, f"{name} = penalty λ|w|²", decayed, penalised[twin])
            continue
        apart = float(distances(decayed, penalised[twin])[-1])
        experiment = f"{name}: distance from the penalty's w"
        yield VerifyCheck(row, experiment, 0.01, apart, 0.0, "at_least")
