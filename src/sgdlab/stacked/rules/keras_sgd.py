"""The rule of sgdlab.optimizers.keras_sgd.KerasSGD."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class KerasSGDRule(Rule):
    """``v <- μ·v - lr·g``, ``w <- w + v``, or with ``nesterov`` ``w <- w + μ·v - lr·g``."""

    settings = ("momentum", "nesterov")
    slots = ("velocity",)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``keep``, ``lr``, and ``direct`` and ``through`` where a run is Nesterov's."""
        ahead = h["nesterov"] != 0
        coefficients = {
            "keep": h["momentum"],
            "lr": h["lr"],
            "direct": np.where(ahead, h["lr"], 0.0),
            "through": np.where(ahead, h["momentum"], 1.0),
        }
        return self.without_idle(coefficients, direct=0, through=1)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        v = torch.addcmul(c["keep"] * state[0], c["lr"], g, value=-1)
        w = torch.addcmul(w, c["through"], v) if "through" in c else w + v
        return (torch.addcmul(w, c["direct"], g, value=-1) if "direct" in c else w), (v,)
