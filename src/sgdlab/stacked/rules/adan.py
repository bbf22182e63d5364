"""The rule of pytorch_optimizer.Adan."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class AdanRule(Rule):
    """``w <- w - lr·(m̂ + β₂·d̂) / (sqrt(v̂) + eps)``, averages of ``g``, ``Δ``, ``(g + β₂·Δ)²``.

    ``Δ = g - g'`` against the gradient of the step before, 0 in the first. Decay is
    ``(1 - lr·λ)·w`` before the step or, without ``weight_decouple``, ``w / (1 + lr·λ)`` after it.
    """

    decays = True
    settings = ("betas", "eps", "weight_decay", "weight_decouple")
    slots = ("exp_avg", "exp_avg_sq", "exp_avg_diff", "previous_grad")
    off = ("max_grad_norm", "use_gc", "adanorm")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return the shares, the rates, ``eps``, and the factors of decay before and after."""
        beta1, beta2, beta3 = (h[f"beta{i}"] for i in (1, 2, 3))
        follows = np.broadcast_to((t > 1).astype(np.float64)[:, None], h["lr"].shape)
        t = t[:, None]
        root = np.sqrt(1 - beta3**t)
        decay, before = h["lr"] * h["weight_decay"], h["weight_decouple"] != 0
        coefficients = {
            "follows": follows,
            "new_m": 1 - beta1,
            "new_d": 1 - beta2,
            "new_v": 1 - beta3,
            "ahead": beta2,
            "of_m": h["lr"] * root / (1 - beta1**t),
            "of_d": h["lr"] * root * beta2 / (1 - beta2**t),
            "eps": h["eps"] * root,
            "before": np.where(before, 1 - decay, 1.0),
            "after": np.where(before, 1.0, 1 / (1 + decay)),
        }
        return self.without_idle(coefficients, follows=1, before=1, after=1)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        change = state[3] + g  # the optimizer keeps the gradient before with the other sign
        if "follows" in c:
            change = c["follows"] * change
        m = torch.lerp(state[0], g, c["new_m"])
        d = torch.lerp(state[2], change, c["new_d"])
        v = torch.lerp(state[1], torch.addcmul(g, c["ahead"], change).square(), c["new_v"])
        w = w * c["before"] if "before" in c else w
        mix = torch.addcmul(c["of_m"] * m, c["of_d"], d)
        w = torch.addcdiv(w, mix, v.sqrt().add_(c["eps"]), value=-1)
        return (w * c["after"] if "after" in c else w), (m, v, d, -g)
