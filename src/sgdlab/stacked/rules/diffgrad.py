"""The rule of pytorch_optimizer.DiffGrad."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class DiffGradRule(Rule):
    """``w <- w - lr·sqrt(1 - β₂^t)/(1 - β₁^t) · σ(|g' - g|)·m / (sqrt(v + 1e-15) + eps)``.

    ``g'`` is the gradient of the step before, 0 at first; ``m`` and ``v`` are Adam's.
    """

    settings = ("betas", "eps")
    slots = ("exp_avg", "exp_avg_sq", "previous_grad")
    off = ("rectify", "ams_bound", "fixed_decay", "adanorm", "adam_debias")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new_m``, ``new_v``, ``rate`` and ``eps``."""
        beta1, beta2, t = h["beta1"], h["beta2"], t[:, None]
        rate = h["lr"] * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        return {"new_m": 1 - beta1, "new_v": 1 - beta2, "rate": rate, "eps": h["eps"]}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m = torch.lerp(state[0], g, c["new_m"])
        v = torch.lerp(state[1], g.square(), c["new_v"])
        # Not `sigmoid`, whose bits depend on the place; see `sgdlab.stacked.layers.activation`.
        friction = (state[2] - g).abs_().neg_().exp_().add_(1.0).reciprocal_()
        root = (v + 1e-15).sqrt_().add_(c["eps"])
        return torch.addcdiv(w, friction.mul_(m).mul_(c["rate"]), root, value=-1), (m, v, g)
