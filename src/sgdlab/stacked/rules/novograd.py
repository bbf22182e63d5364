"""The rule of pytorch_optimizer.NovoGrad."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class NovoGradRule(Rule):
    """``d = g / (sqrt(v) + eps) + λ·w``, ``m <- β₁·m + d``, ``w <- w - lr·m``; ``v`` of a tensor.

    ``v <- β₂·v + (1 - β₂)·|g|²``; in the first step ``v = |g|²`` and ``m = d``. With
    ``grad_averaging`` later ``d`` count ``1 - β₁``; with ``weight_decouple`` the decay is
    ``(1 - lr·λ)·w`` instead.
    """

    by_shape = True
    decays = True
    settings = ("betas", "eps", "weight_decay", "weight_decouple", "grad_averaging")
    slots = ("grads_ema", "moments")
    off = ("fixed_decay", "adam_debias")

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return zeros: a number of each run, and its moments."""
        return w.new_zeros(len(w), *[1] * (w.ndim - 1)), torch.zeros_like(w)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new``, ``keep``, ``lr``, ``eps`` and, where needed, ``take`` and decays."""
        first = np.broadcast_to(t[:, None] == 1, h["lr"].shape)
        averages = (h["grad_averaging"] != 0) & ~first
        apart = h["weight_decouple"] != 0
        coefficients = {
            "new": np.where(first, 1.0, 1 - h["beta2"]),
            "keep": np.where(first, 0.0, h["beta1"]),
            "take": np.where(averages, 1 - h["beta1"], 1.0),
            "lr": h["lr"],
            "eps": h["eps"],
            "inside": np.where(apart, 0.0, h["weight_decay"]),
            "shrink": np.where(apart, 1 - h["lr"] * h["weight_decay"], 1.0),
        }
        return self.without_idle(coefficients, take=1, inside=0, shrink=1)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        v = torch.lerp(state[0], norm(g).square(), c["new"])
        d = g / (v.sqrt() + c["eps"])
        if "inside" in c:
            d = torch.addcmul(d, c["inside"], w)
        w = w * c["shrink"] if "shrink" in c else w
        m = torch.addcmul(c["take"] * d if "take" in c else d, c["keep"], state[1])
        return torch.addcmul(w, c["lr"], m, value=-1), (v, m)
