"""Nesterov's accelerated gradient in its look-ahead form."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_number


class NesterovLookahead(Optimizer):
    """Nesterov's momentum with the gradient taken at the look-ahead point.

    ``v <- μ·v + ∇L(θ - η·μ·v)``, then ``θ <- θ - η·v``, with ``v`` from 0 (Nesterov 1983, in the
    notation of Sutskever et al. 2013).

    The twin, ``nesterov=True`` in `torch.optim.SGD`, stores the look-ahead point itself,
    ``θ̂ = θ - η·μ·v``, so that the gradient is taken where the parameters are:
    ``v <- μ·v + ∇L(θ̂)``, ``θ̂ <- θ̂ - η·(∇L(θ̂) + μ·v)``. At a constant rate and momentum the
    iterates are the same after ``θ̂ = θ - η·μ·v``; here the model is evaluated at ``θ``, there at
    ``θ̂``. When the rate changes from ``η`` to ``η'`` the two part by ``(η - η')·μ·v``.

    A step evaluates the loss at ``θ`` (that is what a run logs) and loss and gradient at the
    look-ahead point: two evaluations, one of them with a gradient. ``θ`` is then put back from a
    copy, so that moving there and back rounds nothing. A parameter without gradient stays.

    ``weight_decay`` is coupled and belongs to the function: its gradient is taken at the
    look-ahead point, too, ``∇L(θ̂) + weight_decay · θ̂``, as torch's form has it. A penalty
    ``λ·|θ|²`` in the loss is ``weight_decay = 2λ``. ``decay.mode`` does not apply: decay before the
    step would never reach the gradient at the look-ahead point.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        momentum: ``μ``, from 0 to below 1; 0 is plain gradient descent.
        weight_decay: From 0; coupled.

    Raises:
        InputError: A setting is out of its range.
    """

    decay_modes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        require_number("optimizer.lr", lr)
        require_number("optimizer.momentum", momentum, high=1, open_high=True)
        require_number("optimizer.weight_decay", weight_decay)
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[..., Tensor]) -> Tensor:  # type: ignore[override]
        """Make one update.

        Args:
            closure: ``closure(gradient=False)`` returns the loss, a 0-dim tensor; ``closure()``
                leaves the gradient in ``p.grad`` as well. The same function at every call.

        Returns:
            The loss at ``θ`` before the update.
        """
        loss = closure(gradient=False)
        kept = self._look_ahead()
        with torch.enable_grad():
            closure()
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad
                if g is not None and group["weight_decay"]:
                    g = g.add(p, alpha=group["weight_decay"])
                p.copy_(kept[p])
                if g is not None:
                    v = self.state[p]["momentum_buffer"].mul_(group["momentum"]).add_(g)
                    p.sub_(v, alpha=group["lr"])
        return loss

    def _look_ahead(self) -> dict[Tensor, Tensor]:
        """Move to ``θ - η·μ·v``; return copies of ``θ``."""
        kept = {}
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                kept[p] = p.clone()
                p.sub_(state["momentum_buffer"], alpha=group["lr"] * group["momentum"])
        return kept
