"""Weight decay in another form than the optimizer's own."""

from typing import Any

import torch
from torch import _foreach_add_, _foreach_mul_  # pyright: ignore[reportPrivateImportUsage]
from torch.optim import Optimizer

from sgdlab.checks import require_one_of
from sgdlab.errors import InputError

MODES = ("coupled", "decoupled", "independent")


def decay_of(group: dict[str, Any]) -> float:
    """Return the weight decay of a parameter group, whoever applies it."""
    return group.get("applied_decay") or group.get("weight_decay") or 0.0


def use_decay_mode(optimizer: Optimizer, mode: str, lr: float, name: str) -> None:
    """Take ``weight_decay`` out of the optimizer's hands and apply it before each of its steps.

    - ``coupled``: ``g <- g + wd · w``, the gradient of the penalty ``wd/2 · |w|²``, which then
      runs through momentum and preconditioning (a penalty ``λ|w|²`` has ``wd = 2λ``). The same as
      ``decoupled`` for plain SGD, not for anything else.
    - ``decoupled``: ``w <- (1 - lr_t · wd) · w`` (Loshchilov and Hutter 2019, torch's AdamW).
    - ``independent``: ``w <- (1 - f_t · wd) · w`` with the schedule's factor ``f_t = lr_t / lr``:
      the learning rate can be tuned without changing the decay (the form of the same paper's
      algorithm; Wortsman et al. 2023).

    Args:
        optimizer: With ``weight_decay`` in its groups.
        mode: One of the three.
        lr: The learning rate before scheduling.
        name: Of the optimizer, for messages.

    Raises:
        InputError: No such mode, or the optimizer cannot take it.
    """
    require_one_of("decay.mode", mode, MODES)
    possible = MODES if "weight_decay" in optimizer.defaults else ()
    possible = getattr(optimizer, "decay_modes", possible)
    if mode not in possible:
        own = f"it takes {', '.join(possible)}" if possible else "leave decay.mode=null"
        raise InputError(f"decay.mode={mode}: not possible with {name}; {own}")
    for group in optimizer.param_groups:
        group["applied_decay"] = group["weight_decay"]
        group["weight_decay"] = 0.0
        group["decay_mode"] = mode

    @torch.no_grad()
    def apply(optimizer: Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            decay = group["applied_decay"]
            if not decay:
                continue
            params = [p for p in group["params"] if p.grad is not None]
            if mode == "coupled":
                _foreach_add_([p.grad for p in params], params, alpha=decay)
                continue
            factor = group["lr"]
            if mode == "independent":
                peak = lr * group.get("lr_multiplier", 1.0)
                factor = factor / peak if peak else 0.0
            _foreach_mul_(params, 1 - factor * decay)

    optimizer.register_step_pre_hook(apply)
