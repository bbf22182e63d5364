"""The rule of torch.optim.Adagrad."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdlab.stacked.rules.base import Carry, Coefficients, Norm, Numbers, Rule, State


@dataclass(frozen=True)
class AdagradRule(Rule):
    """``s <- s + g²``, ``w <- w - lr / (1 + (t - 1)·lr_decay) · g / (sqrt(s) + eps)``.

    ``s`` starts at ``initial_accumulator_value``.
    """

    decay = "coupled"
    slots = ("sum",)

    @classmethod
    def of(cls, group: Mapping[str, Any]) -> "AdagradRule":
        """Return the rule; see `Rule.of`."""
        return cls()

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return ``lr_decay``, ``eps`` and ``initial_accumulator_value``."""
        names = ("lr_decay", "eps", "initial_accumulator_value")
        return {name: float(group[name]) for name in names}

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return the initial sum; see `Rule.init`."""
        return (torch.zeros_like(w) + first["initial"],)

    def coefficients(
        self, h: Numbers, t: NDArray[np.int64], carry: Carry
    ) -> dict[str, NDArray[np.float64]]:
        """Return ``rate``, ``eps`` and, for `init`, ``initial``."""
        rate = h["lr"] / (1 + (t[:, None] - 1) * h["lr_decay"])
        return {"rate": rate, "eps": h["eps"], "initial": h["initial_accumulator_value"]}

    def update(
        self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm
    ) -> tuple[Tensor, State]:
        """Make a step; see `Rule.update`."""
        total = torch.addcmul(state[0], g, g)
        root = total.sqrt().add_(c["eps"])
        return torch.addcdiv(w, c["rate"] * g, root, value=-1), (total,)
