"""The rule of sgdlab.optimizers.lars.LARS."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, State, Steps, Table
from sgdlab.stacked.rules.trust_ratio import TrustRatioRule, is_adapted, trust_ratio


@dataclass(frozen=True)
class LARSRule(TrustRatioRule):
    """``d = inside·q·(g + λ·w)``, ``v <- μ·v + d``, ``w <- w - direct·d - through·v``.

    ``q = trust_coefficient·|w| / (|g| + λ·|w| + eps)``, or 1 where a norm is zero or the tensor is
    excluded. ``inside`` is the rate with ``lr_in_velocity``, else 1; the rest of the rate is in
    ``direct`` (0 without ``nesterov``) and ``through``.
    """

    slots = ("velocity",)
    settings = (
        "momentum", "weight_decay", "trust_coefficient", "eps", "nesterov", "lr_in_velocity",
    )  # fmt: skip

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return what `update` multiplies by."""
        lr, momentum = h["lr"], h["momentum"]
        velocity_has_rate = h["lr_in_velocity"] != 0
        outside = np.where(velocity_has_rate, 1.0, lr)
        coefficients = {
            "decay": h["weight_decay"],
            "inside": np.where(velocity_has_rate, lr, 1.0),
            "momentum": momentum,
            "direct": outside * h["nesterov"],
            "through": outside * np.where(h["nesterov"] != 0, momentum, 1.0),
            "adapted": is_adapted(h),
            "trust": h["trust_coefficient"],
            "eps": h["eps"],
        }
        return self.without_idle(
            coefficients, decay=0, inside=1, momentum=0, direct=0, through=0, adapted=0
        )

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        (v,) = state
        d = torch.addcmul(g, c["decay"], w) if "decay" in c else g
        factor = c.get("inside")
        if "adapted" in c:
            size, slope = norm(w), norm(g)
            length = slope + c["decay"] * size if "decay" in c else slope
            norms = (size, slope)
            q = trust_ratio(c["trust"] * size, length + c["eps"], norms, c["adapted"])
            factor = q if factor is None else q * factor
        if factor is not None:
            d = factor * d
        v = torch.addcmul(d, c["momentum"], v) if "momentum" in c else d
        if "direct" in c:
            w = torch.addcmul(w, c["direct"], d, value=-1)
        if "through" in c:
            w = torch.addcmul(w, c["through"], v, value=-1)
        return w, (v,)
