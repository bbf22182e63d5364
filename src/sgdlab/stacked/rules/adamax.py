"""The rule of torch.optim.Adamax."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class AdamaxRule(Rule):
    """``m <- β₁·m + (1 - β₁)·g``, ``u <- max(β₂·u, |g| + eps)``, ``w <- w - lr/(1 - β₁^t)·m/u``."""

    settings = ("betas", "eps")
    slots = ("exp_avg", "exp_inf")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new_m``, ``keep``, ``eps`` and ``rate``."""
        rate = h["lr"] / (1 - h["beta1"] ** t[:, None])
        return {"new_m": 1 - h["beta1"], "keep": h["beta2"], "eps": h["eps"], "rate": rate}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m = torch.lerp(state[0], g, c["new_m"])
        u = torch.maximum(c["keep"] * state[1], g.abs().add_(c["eps"]))
        return torch.addcdiv(w, c["rate"] * m, u, value=-1), (m, u)
