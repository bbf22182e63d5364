"""The rule of torch.optim.RAdam."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class RAdamRule(Rule):
    """``w <- w - lr·r·m̂·sqrt(1 - β₂^t) / (sqrt(v) + eps)``, or ``w - lr·m̂`` while ``ρ_t <= 5``.

    ``ρ_t = ρ - 2·t·β₂^t / (1 - β₂^t)`` with ``ρ = 2 / (1 - β₂) - 1``, and
    ``r = sqrt((ρ_t - 4)·(ρ_t - 2)·ρ / ((ρ - 4)·(ρ - 2)·ρ_t))``; ``m`` and ``v`` are Adam's.
    """

    settings = ("betas", "eps")
    slots = ("exp_avg", "exp_avg_sq")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new_m``, ``new_v``, ``rate``, ``eps``, and where a run differs ``adaptive``."""
        beta1, beta2, t = h["beta1"], h["beta2"], t[:, None]
        correction = 1 - beta2**t
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * t * beta2**t / correction
        adaptive = length > 5
        of, to = (np.where(adaptive, x, 6.0) for x in (length, limit))
        rectified = np.sqrt((of - 4) * (of - 2) * to / ((to - 4) * (to - 2) * of))
        factor = np.where(adaptive, rectified * np.sqrt(correction), 1.0)
        coefficients = {
            "new_m": 1 - beta1,
            "new_v": 1 - beta2,
            "rate": h["lr"] * factor / (1 - beta1**t),
            "eps": h["eps"],
            "adaptive": adaptive.astype(np.float64),
        }
        return self.without_idle(coefficients, adaptive=1)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m = torch.lerp(state[0], g, c["new_m"])
        v = torch.lerp(state[1], g.square(), c["new_v"])
        root = v.sqrt().add_(c["eps"])
        if "adaptive" in c:
            root = torch.where(c["adaptive"] > 0, root, 1.0)
        return torch.addcdiv(w, c["rate"] * m, root, value=-1), (m, v)
