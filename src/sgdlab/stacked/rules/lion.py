"""The rule of sgdlab.optimizers.lion.Lion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdlab.stacked.rules.base import Carry, Coefficients, Norm, Numbers, State
from sgdlab.stacked.rules.zero_state import ZeroState


@dataclass(frozen=True)
class LionRule(ZeroState):
    """``w <- w - lr·sign(β₁·m + (1 - β₁)·g)``, then ``m <- β₂·m + (1 - β₂)·g``."""

    decay = "decoupled"
    slots = ("exp_avg",)

    @classmethod
    def of(cls, group: Mapping[str, Any]) -> "LionRule":
        """Return the rule; see `Rule.of`."""
        return cls()

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return ``beta1`` and ``beta2``."""
        beta1, beta2 = group["betas"]
        return {"beta1": float(beta1), "beta2": float(beta2)}

    def coefficients(
        self, h: Numbers, t: NDArray[np.int64], carry: Carry
    ) -> dict[str, NDArray[np.float64]]:
        """Return ``lr``, and the weights of ``g`` in the sign and in what is stored."""
        return {"lr": h["lr"], "in_sign": 1 - h["beta1"], "in_store": 1 - h["beta2"]}

    def update(
        self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm
    ) -> tuple[Tensor, State]:
        """Make a step; see `Rule.update`."""
        (m,) = state
        d = torch.lerp(m, g, c["in_sign"]).sign_()
        return torch.addcmul(w, c["lr"], d, value=-1), (torch.lerp(m, g, c["in_store"]),)
