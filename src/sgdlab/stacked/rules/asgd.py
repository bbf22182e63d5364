"""The rule of torch.optim.ASGD."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class ASGDRule(Rule):
    """``w <- (1 - λ·η_t)·w - η_t·g`` and ``ax <- ax + μ_t·(w - ax)``, which moves nothing.

    ``η_{t+1} = lr_t / (1 + λ·lr_t·t)^α`` and ``μ_{t+1} = 1 / max(1, t - t0)`` are made in step
    ``t`` for the next one; ``η_1`` is the first rate, ``μ_1 = 1``. torch keeps them in its default
    type.
    """

    settings = ("lambd", "alpha", "t0")
    slots = ("ax",)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``eta``, ``shrink`` and, where it is not 1, ``mu``."""
        kept = np.float64 if torch.get_default_dtype() == torch.float64 else np.float32
        lr, t = h["lr"], t[:, None]
        etas = (lr / (1 + h["lambd"] * lr * t) ** h["alpha"]).astype(kept)
        mus = (1 / np.maximum(1, t - h["t0"])).astype(kept)
        if not carry:
            carry["eta"], carry["mu"] = lr[0].astype(kept), np.ones(lr.shape[1])
        eta = np.concatenate([carry["eta"][None], etas]).astype(np.float64)
        mu = np.concatenate([carry["mu"][None], mus]).astype(np.float64)
        carry["eta"], carry["mu"] = eta[-1], mu[-1]
        eta = eta[:-1]
        return self.without_idle(
            {"eta": eta, "shrink": 1 - h["lambd"] * eta, "mu": mu[:-1]}, shrink=1, mu=1
        )

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        w = torch.addcmul(c["shrink"] * w if "shrink" in c else w, c["eta"], g, value=-1)
        return w, (torch.lerp(state[0], w, c["mu"]) if "mu" in c else w,)
