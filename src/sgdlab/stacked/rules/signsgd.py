"""The rule of sgdlab.optimizers.signsgd.SignSGD."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class SignSGDRule(Rule):
    """``m <- β·m + (1 - β)·g``, ``w <- w - lr·sign(m)``.

    A step with ``β = 0`` takes the sign of ``g`` and leaves ``m`` as it was.
    """

    settings = ("momentum",)
    slots = ("momentum_buffer",)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``lr``, and the weights of ``g`` in sign and store where they are needed."""
        moves = h["momentum"] != 0
        coefficients = {"lr": h["lr"]}
        if moves.any():
            coefficients["in_sign"] = 1 - h["momentum"]
        if moves.any() and not moves.all():
            coefficients["in_store"] = np.where(moves, 1 - h["momentum"], 0.0)
        return coefficients

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        (stored,) = state
        m = g
        if "in_sign" in c:
            m = torch.lerp(stored, g, c["in_sign"])
            stored = torch.lerp(stored, g, c["in_store"]) if "in_store" in c else m
        return torch.addcmul(w, c["lr"], m.sign(), value=-1), (stored,)
