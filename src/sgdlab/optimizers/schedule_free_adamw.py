"""AdamW whose average replaces the schedule."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_number, require_numbers
from sgdlab.errors import InputError
from sgdlab.optimizers.schedule_free import ScheduleFree


class ScheduleFreeAdamW(ScheduleFree):
    """Schedule-free AdamW (Defazio et al. 2024).

    ``s <- β₂·s + (1 - β₂)·g(y)²``, with ``s`` from 0;
    ``d(y) = g(y) / (sqrt(s / (1 - β₂^t)) + eps) + weight_decay · y`` in `ScheduleFree`, where the
    equations and symbols stand: ``y = (1 - β₁)·z + β₁·x``; ``z <- z - η·d(y)``;
    ``x <- (1 - c)·x + c·z``. What is evaluated is ``x``.

    Use it with ``schedule=constant``: the average does the work of a decaying rate, and with one
    the run would slow down twice. Its warm-up is built in.

    Against AdamW, whose memory it has: no average of gradients; ``β₁`` says how near to the
    average of iterates the gradient is taken. The decay is decoupled from ``s`` as in AdamW, but
    taken at ``y``, where the gradient is, and moves ``z``. Best rates are 1 to 10 times AdamW's.

    The authors' code up to 2024 multiplied the rate by ``sqrt(1 - β₂^t)`` instead of dividing
    ``s`` by ``1 - β₂^t``, which also lowered the weight of early iterates; this is the later form,
    which pytorch-optimizer's ``ScheduleFreeAdamW`` has, too.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        betas: ``(β₁, β₂)``, each from 0 to below 1, ``β₁`` above 0.
        eps: Outside the root, from 0.
        weight_decay: From 0; see above.
        warmup_steps: Steps of the linear warm-up; the rate is ``η·t / warmup_steps`` in step ``t``.
        r: Power of ``t`` in the average's weights, from 0; larger ones forget the start sooner.
        weight_lr_power: Power of the largest rate so far in these weights, from 0.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.0025,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
    ) -> None:
        require_numbers("optimizer.betas", betas, 2, below=1)
        if betas[0] == 0:
            raise InputError(f"optimizer.betas={list(betas)}: the first must be above 0")
        require_number("optimizer.eps", eps)
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
            "r": r,
            "weight_lr_power": weight_lr_power,
        }
        super().__init__(params, defaults)

    def _beta(self, group: dict[str, Any]) -> float:
        return group["betas"][0]

    def _direction(self, y: Tensor, g: Tensor, group: dict[str, Any]) -> Tensor:
        state, beta2 = self.state[y], group["betas"][1]
        if "exp_avg_sq" not in state:
            state["exp_avg_sq"] = torch.zeros_like(y)
        s = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        correction = math.sqrt(1 - beta2 ** group["step"])
        root = (s.sqrt() / correction).add_(group["eps"])
        return (g / root).add_(y, alpha=group["weight_decay"])
