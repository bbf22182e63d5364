"""What the schedule-free optimizers share: three sequences, two of them stored."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_number, require_whole
from sgdlab.optimizers.closure import loss_of


class ScheduleFree(Optimizer):
    """Schedule-free learning (Defazio et al. 2024) for a direction ``d`` that a subclass gives.

    Gradients are taken at ``y``, the base optimizer moves ``z``, and their average ``x`` is the
    result::

        y_t     = (1 - β)·z_t + β·x_t
        z_{t+1} = z_t - η_t·d(y_t)
        x_{t+1} = (1 - c_t)·x_t + c_t·z_{t+1},   c_t = a_t / (a_1 + … + a_t)
        a_t     = t^r · (largest η so far)^weight_lr_power

    with ``t`` from 1, ``x_1 = z_1`` the initial weights, and the warm-up
    ``η_t = η · min(1, t / warmup_steps)``. With equal rates and ``r = 0``, ``c_t = 1/t``.

    The parameters hold ``y`` in training and ``x`` between `eval` and `train`. ``z`` is stored and
    ``x`` is computed from ``y`` and ``z`` with the ``β`` that made ``y`` (so ``β`` may be
    scheduled), hence ``β > 0`` and no more memory than momentum needs. `eval` keeps a copy of
    ``y`` until `train`: how often a run is evaluated does not change it, not even by rounding.

    Args:
        params: Parameters or groups.
        defaults: Of the groups, with ``lr``, ``weight_decay``, ``warmup_steps``, ``r`` and
            ``weight_lr_power``.

    Raises:
        InputError: One of these is out of its range.
    """

    # Decay belongs to d(y); applied to the parameters it would shift y against x and z.
    decay_modes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        require_number("optimizer.lr", defaults["lr"])
        require_number("optimizer.weight_decay", defaults["weight_decay"])
        require_whole("optimizer.warmup_steps", defaults["warmup_steps"], 0)
        require_number("optimizer.r", defaults["r"])
        require_number("optimizer.weight_lr_power", defaults["weight_lr_power"])
        own = {"train_mode": True, "step": 0, "largest_lr": 0.0, "weight_sum": 0.0, "y_beta": None}
        super().__init__(params, {**defaults, **own})

    @abstractmethod
    def _beta(self, group: dict[str, Any]) -> float:
        """Return ``β``, how much of ``x`` is in ``y``; above 0 and below 1."""

    @abstractmethod
    def _direction(self, y: Tensor, g: Tensor, group: dict[str, Any]) -> Tensor:
        """Return ``d(y)`` for the gradient ``g`` at ``y``."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; return the closure's loss, if there is a closure.

        Raises:
            RuntimeError: Called after `eval` without `train`.
        """
        if not all(group["train_mode"] for group in self.param_groups):
            raise RuntimeError("the parameters hold the average: call train() before step()")
        loss = loss_of(closure)
        for group in self.param_groups:
            lr, share = self._advance(group)
            beta = self._beta(group)
            for y in group["params"]:
                if y.grad is None:
                    continue
                state = self.state[y]
                if "z" not in state:
                    state["z"] = y.clone()
                z = state["z"]
                d = self._direction(y, y.grad, group)
                x = self._average(y, z, group)
                z.sub_(d, alpha=lr)
                x.lerp_(z, share)
                y.copy_(x.lerp_(z, 1 - beta))
            group["y_beta"] = beta
        return loss

    def _advance(self, group: dict[str, Any]) -> tuple[float, float]:
        """Count a step; return ``η_t`` and ``c_t``."""
        group["step"] += 1
        t, warmup = group["step"], group["warmup_steps"]
        lr = group["lr"] * (min(1.0, t / warmup) if warmup else 1.0)
        group["largest_lr"] = max(lr, group["largest_lr"])
        weight = t ** group["r"] * group["largest_lr"] ** group["weight_lr_power"]
        group["weight_sum"] += weight
        return lr, weight / group["weight_sum"] if group["weight_sum"] else 0.0

    def _average(self, y: Tensor, z: Tensor, group: dict[str, Any]) -> Tensor:
        """Return ``x``, a new tensor; before the first step all three are the same."""
        beta = group["y_beta"]
        return y.clone() if beta is None else y.lerp(z, 1 - 1 / beta)

    @torch.no_grad()
    def eval(self) -> None:
        """Put ``x`` into the parameters; nothing happens if it is there."""
        for group in self.param_groups:
            if group["train_mode"]:
                for p in self._moved(group):
                    state = self.state[p]
                    state["y"] = p.clone()
                    p.copy_(self._average(p, state["z"], group))
                group["train_mode"] = False

    @torch.no_grad()
    def train(self) -> None:
        """Put ``y`` back into the parameters; nothing happens if it is there."""
        for group in self.param_groups:
            if not group["train_mode"]:
                for p in self._moved(group):
                    p.copy_(self.state[p].pop("y"))
                group["train_mode"] = True

    def _moved(self, group: dict[str, Any]) -> list[Tensor]:
        return [p for p in group["params"] if "z" in self.state.get(p, {})]
