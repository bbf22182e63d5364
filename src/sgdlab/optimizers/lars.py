"""Layer-wise adaptive rate scaling of momentum SGD."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_flag, require_number
from sgdlab.optimizers.closure import loss_of
from sgdlab.optimizers.trust_ratio import are_adapted, trust_ratio


class LARS(Optimizer):
    """LARS (You, Gitman and Ginsburg 2017): every tensor moves in proportion to its own norm.

    ``q = trust_coefficient · |w| / (|g| + λ·|w| + eps)``, with ``q = 1`` where ``|w|`` or ``|g|``
    is zero; ``v <- μ·v + η·q·(g + λ·w)``; ``w <- w - v``. ``w`` is one tensor of the model, norms
    are L2 norms over all its elements, and ``v`` starts at 0.

    Biases and the parameters of normalisation layers keep ``q = 1`` by default, plain momentum SGD
    at the full rate, as in the large-batch recipes since (You et al. 2018). Which these are the
    groups' ``roles`` say (`sgdlab.optimizers.roles`), without them ``ndim <= 1``. Whether they
    decay is the groups' business (``decay.bias_and_norm``).

    Against `torch.optim.SGD`, its nearest twin (``q = 1``): a step of the direction ``g + λ·w``
    has length at most ``η · trust_coefficient · |w|``, whatever the scale of the loss; so rates are
    far larger, and 1 and above are usual. Against LAMB: the direction is the gradient and not
    Adam's, and λ stands in the denominator as ``|g| + λ·|w|`` instead of ``|g + λ·w|``.

    The velocity holds the rate, as the paper has it (and as in ``keras_sgd``): after a drop of the
    rate it still moves at the rates of its own time. ``lr_in_velocity=False`` gives torch's form,
    ``v <- μ·v + q·(g + λ·w)``, ``w <- w - η·v``; the same iterates at a constant rate. With
    ``nesterov``, which the paper does not have, ``v`` in the last line is replaced by
    ``μ·v + η·q·(g + λ·w)``, in torch's form without the ``η``.

    Against pytorch-optimizer's ``LARS``: that one has torch's form, no ``eps``, never decays
    tensors with ``ndim <= 1``, and takes ``q = trust_coefficient / λ`` for a zero gradient.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        momentum: ``μ``, from 0 to below 1.
        weight_decay: ``λ``, from 0; coupled, and part of ``q``. A penalty ``c·|w|²`` in the loss is
            ``λ = 2c``. (With ``decay.mode=coupled`` it is part of ``g``, and ``|g + λ·w|`` stands
            in ``q``.)
        trust_coefficient: Above 0; the paper's ``η`` (its rate is ``γ``).
        eps: Added to the denominator, from 0; the paper has none.
        nesterov: See above.
        lr_in_velocity: The paper's form of momentum; see above.
        exclude_bias_and_norm: ``q = 1`` for biases and the parameters of normalisation layers.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        trust_coefficient: float = 0.001,
        eps: float = 1e-9,
        nesterov: bool = False,
        lr_in_velocity: bool = True,
        exclude_bias_and_norm: bool = True,
    ) -> None:
        require_number("optimizer.lr", lr)
        require_number("optimizer.momentum", momentum, high=1, open_high=True)
        require_number("optimizer.weight_decay", weight_decay)
        require_number("optimizer.trust_coefficient", trust_coefficient, open_low=True)
        require_number("optimizer.eps", eps)
        require_flag("optimizer.nesterov", nesterov)
        require_flag("optimizer.lr_in_velocity", lr_in_velocity)
        require_flag("optimizer.exclude_bias_and_norm", exclude_bias_and_norm)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
            "eps": eps,
            "nesterov": nesterov,
            "lr_in_velocity": lr_in_velocity,
            "exclude_bias_and_norm": exclude_bias_and_norm,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; return the closure's loss, if there is a closure."""
        loss = loss_of(closure)
        for group in self.param_groups:
            inside = group["lr"] if group["lr_in_velocity"] else 1.0
            outside = 1.0 if group["lr_in_velocity"] else group["lr"]
            for p, adapted in zip(group["params"], are_adapted(group), strict=True):
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["velocity"] = torch.zeros_like(p)
                d = p.grad.add(p, alpha=group["weight_decay"])
                if adapted:
                    self._adapt(d, p, p.grad, group)
                d.mul_(inside)
                v = state["velocity"].mul_(group["momentum"]).add_(d)
                move = d.add_(v, alpha=group["momentum"]) if group["nesterov"] else v
                p.sub_(move, alpha=outside)
        return loss

    def _adapt(self, d: Tensor, w: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        """Multiply ``d = g + λ·w`` by ``q``."""
        size, slope = w.norm(), g.norm()
        denominator = slope + group["weight_decay"] * size + group["eps"]
        d.mul_(trust_ratio(group["trust_coefficient"] * size, denominator, size, slope))
