"""The rule of pytorch_optimizer.AdaBelief."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class AdaBeliefRule(Rule):
    """``s <- β₂·s + (1 - β₂)·(g - m)² + eps``, ``w <- w - lr·m̂ / (sqrt(ŝ) + eps)``.

    ``m`` is Adam's; the corrections are moved into the scalars, as in `AdamRule`.
    """

    settings = ("betas", "eps")
    slots = ("exp_avg", "exp_avg_var")
    off = ("rectify", "ams_bound", "fixed_decay", "adanorm", "adam_debias")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new_m``, ``new_s``, ``rate``, ``eps`` of ``s``, and ``root`` of the divisor."""
        beta1, beta2, t = h["beta1"], h["beta2"], t[:, None]
        root = np.sqrt(1 - beta2**t)
        rate = h["lr"] * root / (1 - beta1**t)
        own = {"eps": h["eps"], "root": h["eps"] * root}
        return {"new_m": 1 - beta1, "new_s": 1 - beta2, "rate": rate, **own}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m = torch.lerp(state[0], g, c["new_m"])
        s = torch.lerp(state[1], (g - m).square(), c["new_s"]).add_(c["eps"])
        return torch.addcdiv(w, c["rate"] * m, s.sqrt().add_(c["root"]), value=-1), (m, s)
