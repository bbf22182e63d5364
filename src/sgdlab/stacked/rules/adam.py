"""The rule of torch.optim.Adam and AdamW."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class AdamRule(Rule):
    """``w <- w - lr·m̂ / (sqrt(v̂) + eps)``, ``m̂ = m / (1 - β₁^t)``, ``v̂ = v / (1 - β₂^t)``.

    ``m <- β₁·m + (1 - β₁)·g``, ``v <- β₂·v + (1 - β₂)·g²``. The corrections are moved into the
    scalars: ``w - lr·r/(1 - β₁^t)·m / (sqrt(v) + r·eps)`` with ``r = sqrt(1 - β₂^t)``.

    AdamW is the same rule, so that both fit into one stack: the engine applies the decay of either.

    Attributes:
        amsgrad: Whether the largest ``v`` so far stands in the place of ``v``.
    """

    amsgrad: bool = False

    settings = ("betas", "eps")

    @property
    def slots(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of the state tensors."""
        return ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if self.amsgrad else []))

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new_m``, ``new_v``, ``rate`` and ``eps``."""
        beta1, beta2, t = h["beta1"], h["beta2"], t[:, None]
        root = np.sqrt(1 - beta2**t)
        rate = h["lr"] * root / (1 - beta1**t)
        return {"new_m": 1 - beta1, "new_v": 1 - beta2, "rate": rate, "eps": h["eps"] * root}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m, v, *largest = state
        m = torch.lerp(m, g, c["new_m"])
        v = divisor = torch.lerp(v, g.square(), c["new_v"])
        if self.amsgrad:
            divisor = torch.maximum(largest[0], v)
            largest = [divisor]
        root = divisor.sqrt().add_(c["eps"])
        return torch.addcdiv(w, c["rate"] * m, root, value=-1), (m, v, *largest)
