"""The rule of sgdlab.optimizers.lamb.LAMB."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, State, Steps, Table
from sgdlab.stacked.rules.trust_ratio import TrustRatioRule, is_adapted, trust_ratio


@dataclass(frozen=True)
class LAMBRule(TrustRatioRule):
    """``u = m̂ / (sqrt(ŝ) + eps) + λ·w``, ``w <- w - lr·q·u``.

    ``q = φ(|w|) / |u|`` with ``φ`` clamping to ``[phi_lower, phi_upper]``, or 1 where one of both
    is zero or the tensor is excluded. ``m`` and ``s`` are Adam's moments; their corrections, if
    any, are moved into the scalars, as in `AdamRule`.
    """

    slots = ("exp_avg", "exp_avg_sq")
    settings = (
        "betas", "eps", "weight_decay", "bias_correction", "phi_lower", "phi_upper",
    )  # fmt: skip

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return what `update` multiplies by."""
        beta1, beta2, t = h["beta1"], h["beta2"], t[:, None]
        corrected = h["bias_correction"] != 0
        root = np.where(corrected, np.sqrt(1 - beta2**t), 1.0)
        coefficients = {
            "new_m": 1 - beta1,
            "new_s": 1 - beta2,
            "scale": root / np.where(corrected, 1 - beta1**t, 1.0),
            "eps": h["eps"] * root,
            "decay": h["weight_decay"],
            "lr": h["lr"],
            "adapted": is_adapted(h),
            "lower": h["phi_lower"],
            "upper": h["phi_upper"],
        }
        return self.without_idle(coefficients, decay=0, adapted=0)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m = torch.lerp(state[0], g, c["new_m"])
        s = torch.lerp(state[1], g.square(), c["new_s"])
        u = (c["scale"] * m).div_(s.sqrt().add_(c["eps"]))
        if "decay" in c:
            u = torch.addcmul(u, c["decay"], w)
        rate = c["lr"]
        if "adapted" in c:
            length = norm(u)
            phi = torch.clamp(norm(w), c["lower"], c["upper"])
            rate = rate * trust_ratio(phi, length, (phi, length), c["adapted"])
        return torch.addcmul(w, rate, u, value=-1), (m, s)
