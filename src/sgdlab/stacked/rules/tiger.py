"""The rule of pytorch_optimizer.Tiger."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class TigerRule(Rule):
    """``m <- β·m + (1 - β)·g``, ``w <- w - lr·sign(m)``."""

    settings = ("beta",)
    slots = ("exp_avg",)
    off = ("fixed_decay",)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``lr`` and ``new``."""
        return {"lr": h["lr"], "new": 1 - h["beta"]}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m = torch.lerp(state[0], g, c["new"])
        return torch.addcmul(w, c["lr"], m.sign(), value=-1), (m,)
