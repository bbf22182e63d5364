"""The rule of sgdlab.optimizers.lion.Lion."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class LionRule(Rule):
    """``w <- w - lr·sign(β₁·m + (1 - β₁)·g)``, then ``m <- β₂·m + (1 - β₂)·g``."""

    settings = ("betas",)
    slots = ("exp_avg",)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``lr``, and the weights of ``g`` in the sign and in what is stored."""
        return {"lr": h["lr"], "in_sign": 1 - h["beta1"], "in_store": 1 - h["beta2"]}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        (m,) = state
        d = torch.lerp(m, g, c["in_sign"]).sign_()
        return torch.addcmul(w, c["lr"], d, value=-1), (torch.lerp(m, g, c["in_store"]),)
