"""The rule of pytorch_optimizer.AdEMAMix."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class AdEMAMixRule(Rule):
    """``w <- w - lr·(m̂ + α·m') / (sqrt(v̂) + eps)``, ``m' <- β₃·m' + (1 - β₃)·g``.

    ``m`` and ``v`` are Adam's; their corrections are moved into the scalars, as in `AdamRule`.
    """

    settings = ("betas", "eps", "alpha")
    slots = ("exp_avg", "exp_avg_sq", "exp_avg_slow")
    off = ("fixed_decay", "t_alpha_beta3", "cautious", "stable_adamw")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new_m``, ``new_v``, ``new_slow``, the rates of both averages, and ``eps``."""
        beta1, beta2, t = h["beta1"], h["beta2"], t[:, None]
        root = np.sqrt(1 - beta2**t)
        return {
            "new_m": 1 - beta1,
            "new_v": 1 - beta2,
            "new_slow": 1 - h["beta3"],
            "of_m": h["lr"] * root / (1 - beta1**t),
            "of_slow": h["lr"] * root * h["alpha"],
            "eps": h["eps"] * root,
        }

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m = torch.lerp(state[0], g, c["new_m"])
        v = torch.lerp(state[1], g.square(), c["new_v"])
        slow = torch.lerp(state[2], g, c["new_slow"])
        mix = torch.addcmul(c["of_m"] * m, c["of_slow"], slow)
        return torch.addcdiv(w, mix, v.sqrt().add_(c["eps"]), value=-1), (m, v, slow)
