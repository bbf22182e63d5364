"""Steps of equal size in every coordinate."""

from collections.abc import Callable

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_number
from sgdlab.optimizers.closure import loss_of


class SignSGD(Optimizer):
    """SignSGD and, with momentum, Signum (Bernstein et al. 2018).

    ``m <- β·m + (1 - β)·g`` and ``w <- w - η·sign(m)``, with ``m`` from 0; ``sign(0) = 0``.
    Without momentum ``m = g`` and nothing is stored.

    Every coordinate moves by ``η`` (unless its ``m`` is 0), so the scale of the loss has no effect
    and ``η`` is a distance, as in Adam, not a factor on the gradient, as in SGD. Adam with
    ``betas=(0, 0)`` and ``eps=0`` is SignSGD. Rprop also uses signs, but adapts a step size per
    coordinate. Lion, the nearest twin, takes the sign of another mix of momentum and gradient than
    the one it stores. At a constant rate the iterates end in a cycle of width ``η``.

    The paper's algorithms have no weight decay. Here it is coupled, ``g <- g + weight_decay · w``
    before the momentum, as in the authors' implementation for MXNet (``wd`` there, beside a
    decoupled ``wd_lh``): it can turn the direction of a step, never change its size. For the
    decoupled form, ``w <- (1 - η·weight_decay)·w``, which Lion and most other implementations
    have, set ``decay.mode=decoupled``.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        momentum: ``β``, from 0 to below 1; 0 is SignSGD, the paper's Signum has 0.9.
        weight_decay: From 0; coupled.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.001,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        require_number("optimizer.lr", lr)
        require_number("optimizer.momentum", momentum, high=1, open_high=True)
        require_number("optimizer.weight_decay", weight_decay)
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; return the closure's loss, if there is a closure."""
        loss = loss_of(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                m = p.grad
                if group["weight_decay"]:
                    m = m.add(p, alpha=group["weight_decay"])
                if group["momentum"]:
                    state = self.state[p]
                    if not state:
                        state["momentum_buffer"] = torch.zeros_like(p)
                    m = state["momentum_buffer"].lerp_(m, 1 - group["momentum"])
                p.sub_(m.sign(), alpha=group["lr"])
        return loss
