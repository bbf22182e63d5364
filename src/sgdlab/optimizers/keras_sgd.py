"""Momentum SGD as Keras writes it."""

from collections.abc import Callable

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_flag, require_number
from sgdlab.optimizers.closure import loss_of


class KerasSGD(Optimizer):
    """Heavy ball (Polyak 1964) with the learning rate inside the velocity, as in Keras's ``SGD``.

    ``v <- μ·v - η·g`` and then ``w <- w + v``, or with ``nesterov`` ``w <- w + μ·v - η·g`` with
    the new ``v``. ``g`` is the gradient at ``w`` plus ``weight_decay · w``, ``v`` starts at 0.

    The twin, `torch.optim.SGD`, keeps the rate out: ``v <- μ·v + g``, ``w <- w - η·v``. At a
    constant rate both give the same iterates (Keras's velocity is ``-η`` times torch's). They
    differ when the rate changes: torch multiplies the whole velocity by the new rate at once;
    here the velocity still holds gradients at the rates of their own time. On the first step after
    a drop from ``η`` to ``η'`` this one moves ``μ·η/η' + (1 - μ)`` times as far as torch's
    (constant gradient, velocity at its limit): 9.1 times for a drop by ten with ``μ = 0.9``. The
    difference fades like ``μ^k``.

    Keras's own ``weight_decay`` is decoupled (``w <- w - η·weight_decay·w``); here it is coupled
    as in torch, so that the two differ in nothing else. ``decay.mode=decoupled`` gives Keras's. A
    penalty ``λ·|w|²`` in the loss is ``weight_decay = 2λ``, coupled.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        momentum: ``μ``, from 0 to below 1; 0 is plain SGD (Keras's default).
        nesterov: Nesterov's momentum in Keras's form.
        weight_decay: From 0; coupled.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        momentum: float = 0.9,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        require_number("optimizer.lr", lr)
        require_number("optimizer.momentum", momentum, high=1, open_high=True)
        require_flag("optimizer.nesterov", nesterov)
        require_number("optimizer.weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; return the closure's loss, if there is a closure."""
        loss = loss_of(closure)
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if group["weight_decay"]:
                    g = g.add(p, alpha=group["weight_decay"])
                state = self.state[p]
                if not state:
                    state["velocity"] = torch.zeros_like(p)
                v = state["velocity"].mul_(momentum).sub_(g, alpha=lr)
                if group["nesterov"]:
                    p.add_(v, alpha=momentum).sub_(g, alpha=lr)
                else:
                    p.add_(v)
        return loss
