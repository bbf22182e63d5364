"""The rule of pytorch_optimizer.Yogi."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class YogiRule(Rule):
    """``v <- v - (1 - β₂)·sign(v - g²)·g²``, ``w <- w - lr·m̂ / (sqrt(v̂) + eps)``.

    ``m`` is Adam's, but begins at ``initial_accumulator`` as ``v``; the corrections are moved into
    the scalars, as in `AdamRule`.
    """

    settings = ("betas", "eps", "initial_accumulator")
    slots = ("exp_avg", "exp_avg_sq")
    off = ("fixed_decay", "adam_debias")

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return the initial moments; see `Rule.init`."""
        initial = torch.zeros_like(w) + first["initial"]
        return initial, initial

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new_m``, ``new_v``, ``rate``, ``eps`` and, for `init`, ``initial``."""
        beta1, beta2, t = h["beta1"], h["beta2"], t[:, None]
        root = np.sqrt(1 - beta2**t)
        rate = h["lr"] * root / (1 - beta1**t)
        own = {"eps": h["eps"] * root, "initial": h["initial_accumulator"]}
        return {"new_m": 1 - beta1, "new_v": 1 - beta2, "rate": rate, **own}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m, squares = torch.lerp(state[0], g, c["new_m"]), g.square()
        signs = (state[1] - squares).sign_().mul_(squares)
        v = torch.addcmul(state[1], c["new_v"], signs, value=-1)
        return torch.addcdiv(w, c["rate"] * m, v.sqrt().add_(c["eps"]), value=-1), (m, v)
