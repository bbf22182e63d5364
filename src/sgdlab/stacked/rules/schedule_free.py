"""The rules of sgdlab.optimizers.schedule_free_sgd and schedule_free_adamw."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


class ScheduleFreeRule(Rule):
    """``z <- z - lr·d(y)``, ``x <- (1 - c)·x + c·z``, ``y = (1 - β)·z + β·x``; ``y`` is trained.

    ``c`` is the share of ``t^r · (largest lr)^weight_lr_power`` in the sum of these so far, the
    rate that of the optimizer's own warm-up. ``x``, which is evaluated, comes from ``y`` and ``z``
    with the ``β`` of the step before.
    """

    averages = True

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return ``z`` first, the parameter itself; see `Rule.init`."""
        return (w, *(torch.zeros_like(w) for _ in self.slots[1:]))

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``lr``, ``share``, ``of_z`` and ``back``."""
        t = t[:, None]
        warmup = h["warmup_steps"]
        lr = h["lr"] * np.where(warmup > 0, np.minimum(1.0, t / np.maximum(warmup, 1)), 1.0)
        runs = lr.shape[1]
        largest = np.maximum.accumulate([carry.get("largest", np.zeros(runs)), *lr])[1:]
        weight = t ** h["r"] * largest ** h["weight_lr_power"]
        total = np.add.accumulate([carry.get("total", np.zeros(runs)), *weight])[1:]
        beta = h["beta1"] if "beta1" in h else h["momentum"]
        back = np.concatenate([carry.get("back", np.zeros(runs))[None], 1 - 1 / beta])
        carry.update(largest=largest[-1], total=total[-1], back=back[-1])
        share = np.divide(weight, total, out=np.zeros_like(lr), where=total > 0)
        return {"lr": lr, "share": share, "of_z": 1 - beta, "back": back[:-1]}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        z, *others = state
        d, others = self.direction(w, g, others, c)
        x = _between(w, z, c["back"])
        z = torch.addcmul(z, c["lr"], d, value=-1)
        x = torch.lerp(x, z, c["share"])
        return torch.lerp(x, z, c["of_z"]), (z, *others)

    @abstractmethod
    def direction(
        self, y: Tensor, g: Tensor, state: list[Tensor], c: Coefficients
    ) -> tuple[Tensor, list[Tensor]]:
        """Return ``d(y)`` and the state of its own."""

    def evaluated(self, w: Tensor, state: State, carry: Coefficients) -> Tensor:
        """Return ``x``; see `Rule.evaluated`."""
        return _between(w, state[0], carry["back"])


@dataclass(frozen=True)
class ScheduleFreeSGDRule(ScheduleFreeRule):
    """`ScheduleFreeRule` with ``d(y) = g + weight_decay·y``; the engine adds the second."""

    settings = ("momentum", "warmup_steps", "r", "weight_lr_power")
    slots = ("z",)

    def direction(
        self, y: Tensor, g: Tensor, state: list[Tensor], c: Coefficients
    ) -> tuple[Tensor, list[Tensor]]:
        """See `ScheduleFreeRule.direction`."""
        return g, state


@dataclass(frozen=True)
class ScheduleFreeAdamWRule(ScheduleFreeRule):
    """`ScheduleFreeRule` with ``d(y) = g / (sqrt(s / (1 - β₂^t)) + eps) + weight_decay·y``.

    ``s <- β₂·s + (1 - β₂)·g²``.
    """

    decays = True
    settings = ("betas", "eps", "weight_decay", "warmup_steps", "r", "weight_lr_power")
    slots = ("z", "exp_avg_sq")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return those of `ScheduleFreeRule`, ``new_s``, ``scale``, ``eps`` and ``decay``."""
        scale = np.sqrt(1 - h["beta2"] ** t[:, None])
        own = {"new_s": 1 - h["beta2"], "scale": scale, "eps": h["eps"] * scale}
        table = super().coefficients(h, t, carry) | own | {"decay": h["weight_decay"]}
        return self.without_idle(table, decay=0)

    def direction(
        self, y: Tensor, g: Tensor, state: list[Tensor], c: Coefficients
    ) -> tuple[Tensor, list[Tensor]]:
        """See `ScheduleFreeRule.direction`."""
        s = torch.lerp(state[0], g.square(), c["new_s"])
        d = (c["scale"] * g).div_(s.sqrt().add_(c["eps"]))
        return torch.addcmul(d, c["decay"], y) if "decay" in c else d, [s]


def _between(y: Tensor, z: Tensor, weight: Tensor) -> Tensor:
    """Return ``y + weight·(z - y)``."""
    return torch.addcmul(y, weight, z - y)
