"""The rule of sgdlab.optimizers.signsgd.SignSGD."""

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
class SignSGDRule(ZeroState):
    """``m <- β·m + (1 - β)·g``, ``w <- w - lr·sign(m)``.

    A step with ``β = 0`` takes the sign of ``g`` and leaves ``m`` as it was.
    """

    decay = "coupled"
    slots = ("momentum_buffer",)

    @classmethod
    def of(cls, group: Mapping[str, Any]) -> "SignSGDRule":
        """Return the rule; see `Rule.of`."""
        return cls()

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return ``momentum``."""
        return {"momentum": float(group["momentum"])}

    def coefficients(
        self, h: Numbers, t: NDArray[np.int64], carry: Carry
    ) -> dict[str, NDArray[np.float64]]:
        """Return ``lr``, and the weights of ``g`` in sign and store where they are needed."""
        moves = h["momentum"] != 0
        coefficients = {"lr": h["lr"]}
        if moves.any():
            coefficients["in_sign"] = 1 - h["momentum"]
        if moves.any() and not moves.all():
            coefficients["in_store"] = np.where(moves, 1 - h["momentum"], 0.0)
        return coefficients

    def update(
        self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm
    ) -> tuple[Tensor, State]:
        """Make a step; see `Rule.update`."""
        (stored,) = state
        m = g
        if "in_sign" in c:
            m = torch.lerp(stored, g, c["in_sign"])
            stored = torch.lerp(stored, g, c["in_store"]) if "in_store" in c else m
        return torch.addcmul(w, c["lr"], m.sign(), value=-1), (stored,)
