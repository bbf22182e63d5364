"""Rule by rule: what an update divides by, and up to which curvature it is stable."""

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.optim import (
    SGD,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
)

from sgdlab.diagnostics import stability
from sgdlab.optimizers.keras_sgd import KerasSGD
from sgdlab.optimizers.kiefer_wolfowitz import KieferWolfowitz
from sgdlab.optimizers.nesterov_lookahead import NesterovLookahead
from sgdlab.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from sgdlab.optimizers.schedule_free_sgd import ScheduleFreeSGD
from sgdlab.optimizers.swats import SWATS

Group = dict[str, Any]
State = dict[str, Any]
Rule = tuple[
    Callable[[Group, State, Tensor], Tensor | float], Callable[[float, Group, State], float]
]
"""The divisor of one parameter without its multiplier, and the limit at a rate."""


def one(group: Group, state: State, p: Tensor) -> float:
    """Return 1: the gradient is not divided."""
    return 1.0


def _corrections(group: Group, state: State) -> tuple[float, float, int]:
    t = int(state["step"])
    return 1 - group["betas"][0] ** t, 1 - group["betas"][1] ** t, t


def _adam(group: Group, state: State, p: Tensor) -> Tensor:
    first, second, _ = _corrections(group, state)
    v = state["max_exp_avg_sq"] if group.get("amsgrad") else state["exp_avg_sq"]
    return first * (v.sqrt() / math.sqrt(second) + group["eps"])


def _nadam(group: Group, state: State, p: Tensor) -> Tensor:
    # Corrections of the first moment are in the weights, of which the limit knows.
    return (state["exp_avg_sq"] / _corrections(group, state)[1]).sqrt() + group["eps"]


def _nadam_limit(lr: float, group: Group, state: State) -> float:
    if not state:
        return math.nan
    beta, step = group["betas"][0], int(state["step"])
    product = float(state["mu_product"])
    weights = stability.nadam_weights(beta, group["momentum_decay"], step, product)
    return stability.mixed(lr, beta, *weights)


def _radam(group: Group, state: State, p: Tensor) -> Tensor | float:
    first, second, t = _corrections(group, state)
    beta = group["betas"][1]
    longest = 2 / (1 - beta) - 1
    length = longest - 2 * t * beta**t / second
    if length <= 5:
        return first
    rectified = (length - 4) * (length - 2) * longest
    rectified /= (longest - 4) * (longest - 2) * length
    root = state["exp_avg_sq"].sqrt() + group["eps"]
    return first * root / math.sqrt(second * rectified)


def _adamax(group: Group, state: State, p: Tensor) -> Tensor:
    return (1 - group["betas"][0] ** int(state["step"])) * state["exp_inf"]


def _rmsprop(group: Group, state: State, p: Tensor) -> Tensor:
    v = state["square_avg"]
    if group["centered"]:
        v = v - state["grad_avg"] ** 2
    return v.clamp(min=0.0).sqrt() + group["eps"]


def _adagrad(group: Group, state: State, p: Tensor) -> Tensor:
    slower = 1 + (int(state["step"]) - 1) * group["lr_decay"]
    return (state["sum"].sqrt() + group["eps"]) * slower


def _schedule_free(group: Group, state: State, p: Tensor) -> Tensor | float:
    slower = group["step"] / group["warmup_steps"] if group["warmup_steps"] else 1.0
    divisor: Tensor | float = 1.0
    if "exp_avg_sq" in state:
        second = 1 - group["betas"][1] ** group["step"]
        divisor = state["exp_avg_sq"].sqrt() / math.sqrt(second) + group["eps"]
    return divisor / min(1.0, slower)


def _schedule_free_limit(lr: float, group: Group, state: State) -> float:
    weight = group["step"] ** group["r"] * group["largest_lr"] ** group["weight_lr_power"]
    share = weight / group["weight_sum"] if group["weight_sum"] else 0.0
    return stability.schedule_free(lr, group["y_beta"], share)


def _swats(group: Group, state: State, p: Tensor) -> Tensor | float:
    if state["switch_step"] is None:
        first, second, _ = _corrections(group, state)
        return first / math.sqrt(second) * (state["exp_avg_sq"].sqrt() + group["eps"])
    if state["switch_step"] == state["step"]:
        raise KeyError("the second moment of Adam's last step is gone")
    return group["lr_at_switch"] / group.get("lr_multiplier", 1.0) / state["switch_lr"]


def _sgd_limit(lr: float, group: Group, state: State) -> float:
    if group.get("nesterov"):
        return stability.nesterov(lr, group["momentum"])
    dampening = group.get("dampening", 0.0) if group["momentum"] else 0.0
    return stability.heavy_ball(lr, group["momentum"], dampening)


def _adam_limit(lr: float, group: Group, state: State) -> float:
    return stability.adam(lr, group["betas"][0])


def _gd_limit(lr: float, group: Group, state: State) -> float:
    return stability.gradient_descent(lr)


RULES: dict[type[Optimizer], Rule] = {
    SGD: (one, _sgd_limit),
    KerasSGD: (one, _sgd_limit),
    NesterovLookahead: (one, lambda lr, group, _: stability.nesterov(lr, group["momentum"])),
    KieferWolfowitz: (one, _gd_limit),
    Adagrad: (_adagrad, _gd_limit),
    RMSprop: (_rmsprop, _sgd_limit),
    Adam: (_adam, _adam_limit),
    AdamW: (_adam, _adam_limit),
    NAdam: (_nadam, _nadam_limit),
    RAdam: (_radam, _adam_limit),
    Adamax: (_adamax, _adam_limit),
    SWATS: (_swats, _adam_limit),
    ScheduleFreeSGD: (_schedule_free, _schedule_free_limit),
    ScheduleFreeAdamW: (_schedule_free, _schedule_free_limit),
}
