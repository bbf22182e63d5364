"""The rule of torch.optim.Adadelta."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class AdadeltaRule(Rule):
    """``d = sqrt(a + eps) / sqrt(v + eps) · g``, ``w <- w - lr·d``.

    ``v <- ρ·v + (1 - ρ)·g²`` before, ``a <- ρ·a + (1 - ρ)·d²`` after.
    """

    settings = ("rho", "eps")
    slots = ("square_avg", "acc_delta")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new``, ``eps`` and ``lr``."""
        return {"new": 1 - h["rho"], "eps": h["eps"], "lr": h["lr"]}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        v = torch.lerp(state[0], g.square(), c["new"])
        d = (state[1] + c["eps"]).sqrt_().div_((v + c["eps"]).sqrt_()).mul_(g)
        a = torch.lerp(state[1], d.square(), c["new"])
        return torch.addcmul(w, c["lr"], d, value=-1), (v, a)
