"""The sign of an interpolated momentum."""

from collections.abc import Callable, Sequence

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_number, require_numbers
from sgdlab.optimizers.closure import loss_of


class Lion(Optimizer):
    """Lion, EvoLved Sign Momentum (Chen et al. 2023).

    ``c = β₁·m + (1 - β₁)·g``, ``w <- w - η·(sign(c) + weight_decay · w)``, and only then
    ``m <- β₂·m + (1 - β₂)·g``, with ``m`` from 0; ``sign(0) = 0``.

    Against Signum, the nearest twin: the update sees the newest gradient with weight ``1 - β₁``
    while the memory is longer (``β₂ > β₁``); with ``β₁ = β₂`` Lion is Signum. Against AdamW: one
    buffer instead of two, and every coordinate moves by ``η``, so that the steps are larger: the
    paper takes a rate 3 to 10 times smaller and a ``weight_decay`` larger by the same factor, as
    the decay is decoupled and multiplied by the rate.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        betas: ``(β₁, β₂)``, each from 0 to below 1.
        weight_decay: From 0; decoupled.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-4,
        betas: Sequence[float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        require_number("optimizer.lr", lr)
        require_numbers("optimizer.betas", betas, 2, below=1)
        require_number("optimizer.weight_decay", weight_decay)
        defaults = {"lr": lr, "betas": tuple(betas), "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; return the closure's loss, if there is a closure."""
        loss = loss_of(closure)
        for group in self.param_groups:
            lr, (beta1, beta2) = group["lr"], group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["exp_avg"] = torch.zeros_like(p)
                m = state["exp_avg"]
                p.mul_(1 - lr * group["weight_decay"])
                p.sub_(m.lerp(p.grad, 1 - beta1).sign(), alpha=lr)
                m.lerp_(p.grad, 1 - beta2)
        return loss
