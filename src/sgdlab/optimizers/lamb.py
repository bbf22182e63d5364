"""Layer-wise adaptive Adam for large batches."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_flag, require_number, require_numbers
from sgdlab.errors import InputError
from sgdlab.optimizers.closure import loss_of
from sgdlab.optimizers.trust_ratio import are_adapted, trust_ratio


class LAMB(Optimizer):
    """LAMB (You et al. 2020): Adam's direction, rescaled to the norm of each tensor.

    ``m <- β₁·m + (1 - β₁)·g``; ``s <- β₂·s + (1 - β₂)·g²``;
    ``u = m̂ / (sqrt(ŝ) + eps) + λ·w`` with ``m̂ = m / (1 - β₁^t)``, ``ŝ = s / (1 - β₂^t)``;
    ``w <- w - η · φ(|w|) / |u| · u`` with ``φ(z) = min(max(z, phi_lower), phi_upper)``.

    ``w`` is one tensor of the model, norms are L2 norms over all its elements, ``m`` and ``s``
    start at 0, ``t`` counts from 1. The ratio is 1 where ``φ(|w|)`` or ``|u|`` is zero. Earlier
    versions of the paper have no bias correction, ``m̂ = m`` and ``ŝ = s``:
    ``bias_correction=false``; where ``eps`` is small that changes only how ``u`` weighs against
    ``λ·w``, as its length drops out.

    Biases and the parameters of normalisation layers keep the ratio 1 by default, like the authors'
    own code: Adam with ``λ`` as the groups have it (0 unless ``decay.bias_and_norm=true``). Which
    these are the groups' ``roles`` say (`sgdlab.optimizers.roles`), without them ``ndim <= 1``.

    Against AdamW, the nearest twin (ratio 1): every tensor moves by exactly ``η·φ(|w|)``, so ``η``
    is the relative change in a step, and the scale of the loss has no effect but through ``eps``.
    ``λ`` is decoupled from the moments as in AdamW, but counts within ``u``: more decay turns the
    step and does not lengthen it. Against LARS: Adam's direction instead of momentum on ``g``, and
    the norm of the whole update in the denominator.

    Against pytorch-optimizer's ``Lamb``: that one corrects no bias but divides the rate by
    ``1 - β₁^t`` (unless ``adam_debias``), caps ``φ`` at 10, adds ``eps`` to ``|u|`` too, decays
    before the step and outside of ``u`` unless ``weight_decouple=False``, and adapts every tensor.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        betas: ``(β₁, β₂)``, each from 0 to below 1.
        eps: Outside the root, from 0.
        weight_decay: ``λ``, from 0; inside the ratio.
        bias_correction: See above.
        phi_lower: Smallest ``φ``, from 0; above 0 a tensor that is zero moves by ``η·phi_lower``.
        phi_upper: Largest ``φ``, above 0; None for no bound.
        exclude_bias_and_norm: Ratio 1 for biases and the parameters of normalisation layers.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        bias_correction: bool = True,
        phi_lower: float = 0.0,
        phi_upper: float | None = None,
        exclude_bias_and_norm: bool = True,
    ) -> None:
        require_number("optimizer.lr", lr)
        require_numbers("optimizer.betas", betas, 2, below=1)
        require_number("optimizer.eps", eps)
        require_number("optimizer.weight_decay", weight_decay)
        require_flag("optimizer.bias_correction", bias_correction)
        require_number("optimizer.phi_lower", phi_lower)
        if phi_upper is not None:
            require_number("optimizer.phi_upper", phi_upper, open_low=True)
            if phi_upper < phi_lower:
                raise InputError(
                    f"optimizer.phi_upper={phi_upper}: must be at least phi_lower={phi_lower}"
                )
        require_flag("optimizer.exclude_bias_and_norm", exclude_bias_and_norm)
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "bias_correction": bias_correction,
            "phi_lower": phi_lower,
            "phi_upper": phi_upper,
            "exclude_bias_and_norm": exclude_bias_and_norm,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; return the closure's loss, if there is a closure."""
        loss = loss_of(closure)
        for group in self.param_groups:
            for p, adapted in zip(group["params"], are_adapted(group), strict=True):
                if p.grad is None:
                    continue
                u = self._direction(p, p.grad, group).add_(p, alpha=group["weight_decay"])
                if adapted:
                    size, length = p.norm(), u.norm()
                    phi = size.clamp(group["phi_lower"], group["phi_upper"])
                    u.mul_(trust_ratio(phi, length, phi, length))
                p.sub_(u, alpha=group["lr"])
        return loss

    def _direction(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> Tensor:
        """Return ``m̂ / (sqrt(ŝ) + eps)``, a new tensor."""
        state, (beta1, beta2) = self.state[p], group["betas"]
        if not state:
            # On the CPU whatever the device, as in torch: reading it waits for no kernel.
            state["step"] = torch.tensor(0.0)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        state["step"] += 1
        m = state["exp_avg"].lerp_(g, 1 - beta1)
        s = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        t = state["step"].item() if group["bias_correction"] else math.inf
        # 1 - β^inf is 1: no correction.
        root = (s.sqrt() / math.sqrt(1 - beta2**t)).add_(group["eps"])
        return (m / (1 - beta1**t)).div_(root)
