"""Rules that must give the same iterates, and those that must not: rows 20, 23, 24, 29 and 35."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from sgdlab.verify.case import Check, Curve, Experiment
from sgdlab.verify.lab import train
from sgdlab.verify.problems import Slope, dataset

FAMILY = "equivalence"

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
    row: str, family: str, experiment: str, one: Tensor, other: Tensor, tolerance: float = 1e-12
) -> Check:
    """Return the check that two trajectories ``[T, d]`` agree to rounding."""
    apart = distances(one, other)
    steps = [float(t + 1) for t in range(len(apart))]
    curve = Curve(experiment, steps, apart.tolist(), panel="distance of equal twins, relative")
    measured = float(apart.max()) if apart.isfinite().all() else math.nan
    return Check(row, family, experiment, 0.0, measured, tolerance, "absolute", (curve,))


def swats() -> Iterator[Check]:
    """Row 20: with an eps that swamps the root, SWATS's Adam steps like SGD; it must find that lr.

    ``p = -lr·g/(|g| + eps)`` with ``lr = η·eps`` is ``-η·g`` to 1e-12, and so is ``γ``.
    """
    eta, eps = 0.3, 1e12
    adam = (f"lr={eta * eps}", f"optimizer.eps={eps}", "optimizer.betas=[0.0,0.0]")
    learned = train(*_QUADRATIC, "optimizer=swats", *adam)
    plain = train(*_QUADRATIC, "optimizer=sgd", f"lr={eta}")
    found = learned.run.optimizer.findings()  # type: ignore[attr-defined]
    rate = math.nan if found["switch_lr"] is None else found["switch_lr"]
    step = math.nan if found["switch_step"] is None else found["switch_step"]
    name = "SWATS on SGD steps"
    yield Check("20a", FAMILY, f"{name}: learned lr p·p/(-p·g)", eta, rate, 1e-10)
    yield Check("20b", FAMILY, f"{name}: switches at step", 2, step, 0.0, "absolute")
    yield same("20c", FAMILY, f"{name}: iterates before and after", learned.iterates,
               plain.iterates, 1e-10)  # fmt: skip


def nesterov_forms() -> Iterator[Check]:
    """Row 23: torch's Nesterov holds the look-ahead points of the published form.

    ``θ̂_t = θ_t - η·μ·v_t = θ_t + μ·(θ_t - θ_{t-1})`` at a constant rate.
    """
    rates = ("lr=0.5", "optimizer.momentum=0.9")
    torchs = train(*_QUADRATIC, "optimizer=nesterov", *rates).iterates
    ours = train(*_QUADRATIC, "optimizer=nesterov_lookahead", *rates).iterates
    ahead = torch.cat([ours[:1], ours[1:] + 0.9 * (ours[1:] - ours[:-1])])
    yield same("23a", FAMILY, "Nesterov in torch's form = look-ahead points", torchs, ahead)
    decay = ("optimizer.weight_decay=0.1", "decay.bias_and_norm=true")
    torchs = train(*_QUADRATIC, "optimizer=nesterov", *rates, *decay).iterates
    ours = train(*_QUADRATIC, "optimizer=nesterov_lookahead", *rates, *decay).iterates
    ahead = torch.cat([ours[:1], ours[1:] + 0.9 * (ours[1:] - ours[:-1])])
    yield same("23b", FAMILY, "the same with weight decay", torchs, ahead)


def heavy_ball_forms() -> Iterator[Check]:
    """Row 24: Keras's velocity holds the rate, torch's does not; they part when the rate drops.

    With gradient 1 and velocities at their limits, the ``k``-th step after a drop from ``η`` to
    ``η'`` is ``1 + μ^k·(η/η' - 1)`` times torch's.
    """
    rates = ("lr=0.5", "optimizer.momentum=0.9")
    torchs = train(*_QUADRATIC, "optimizer=momentum", *rates).iterates
    keras = train(*_QUADRATIC, "optimizer=keras_sgd", *rates).iterates
    yield same("24a", FAMILY, "heavy ball: Keras's form = torch's, constant lr", keras, torchs)

    one = torch.ones(1, dtype=torch.float64)
    slope = dataset(Slope(one, one))
    drop, after, mu, ratio = 300, 40, 0.9, 10.0
    settings = (
        "model=problem", f"max_steps={drop + after}", "schedule=step", "schedule.gamma=0.1",
        f"schedule.milestones=[{drop}]", "lr=1.0", f"optimizer.momentum={mu}",
    )  # fmt: skip
    torchs = train("optimizer=momentum", *settings, data=slope).iterates[:, 0]
    keras = train("optimizer=keras_sgd", *settings, data=slope).iterates[:, 0]
    longer = (keras.diff() / torchs.diff())[drop:]
    curve = Curve(
        "after k steps: μ^k·(η/η' - 1)",
        [float(k) for k in range(1, after + 1)],
        (longer - 1).tolist(),
        [mu**k * (ratio - 1) for k in range(1, after + 1)],
        panel="Keras's step over torch's, less 1, after lr/10",
    )
    experiment = "Keras's first step over torch's after lr/10"
    predicted = mu * ratio + (1 - mu)
    yield Check("24b", FAMILY, experiment, predicted, float(longer[0]), 1e-10, curves=(curve,))
    experiment = "the same, 20 steps after the drop"
    predicted = 1 + mu**20 * (ratio - 1)
    yield Check("24c", FAMILY, experiment, predicted, float(longer[19]), 1e-10)


def kiefer_wolfowitz() -> Iterator[Check]:
    """Row 29: on a quadratic central differences are the gradient, whatever their width."""
    gradient = train(*_QUADRATIC, "optimizer=sgd", "lr=1.0", "max_steps=30")
    for row, width in (("29a", 1.0), ("29b", 0.01)):
        settings = ("lr=1.0", f"optimizer.width={width}", "max_steps=30")
        found = train(*_QUADRATIC, "optimizer=kiefer_wolfowitz", *settings)
        experiment = f"Kiefer–Wolfowitz, width {width:g} = gradient step"
        yield same(row, FAMILY, experiment, found.iterates, gradient.iterates)


def penalty_and_decay() -> Iterator[Check]:
    """Row 35: a penalty ``λ‖w‖²`` in the loss is coupled ``weight_decay = 2λ``, for any optimizer.

    Where the decay does not pass through the gradient it is the same for plain SGD only: AdamW and
    Adam with ``decay.mode=decoupled`` end elsewhere than Adam on the penalised loss.
    """
    decay = 0.2  # of least_squares: l2/2·‖w‖² with l2 = 2λ
    cases = (
        ("35a", "sgd", 0.1, "coupled", True),
        ("35b", "sgd", 0.1, "decoupled", True),
        ("35c", "momentum", 0.02, "coupled", True),
        ("35d", "momentum", 0.02, "decoupled", False),
        ("35e", "adam", 0.02, "coupled", True),
        ("35f", "adam", 0.02, "decoupled", False),
        ("35g", "adamw", 0.02, None, False),
    )
    for row, optimizer, lr, mode, is_same in cases:
        twin = "adam" if optimizer == "adamw" else optimizer
        off = "optimizer.weight_decay=0.0"
        penalised = train(
            *_RIDGE, f"optimizer={twin}", f"lr={lr}", off, f"dataset.l2={decay}"
        ).iterates
        own = (f"optimizer.weight_decay={decay}", "dataset.l2=0.0")
        chosen = () if mode is None else (f"decay.mode={mode}",)
        decayed = train(*_RIDGE, f"optimizer={optimizer}", f"lr={lr}", *own, *chosen).iterates
        name = f"{optimizer}, {mode or 'its own'} decay 2λ"
        if is_same:
            yield same(row, FAMILY, f"{name} = penalty λ|w|²", decayed, penalised)
            continue
        apart = float(distances(decayed, penalised)[-1])
        experiment = f"{name}: distance from the penalty's w"
        yield Check(row, FAMILY, experiment, 0.01, apart, 0.0, "at_least")


EXPERIMENTS: tuple[Experiment, ...] = (
    swats,
    nesterov_forms,
    heavy_ball_forms,
    kiefer_wolfowitz,
    penalty_and_decay,
)
