"""The rule of pytorch_optimizer.QHAdam."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class QHAdamRule(Rule):
    """``w <- w - lr·(ν₁·m + (1 - ν₁)·g) / (sqrt(ν₂·v + (1 - ν₂)·g²) + eps)``.

    ``m <- m + (g - m)/n₁`` with ``n₁ <- β₁·n₁ + 1`` from 0, and ``v`` of ``g²`` likewise with
    ``n₂``: Adam's averages with their correction. The optimizer keeps both counts in float32.
    """

    settings = ("betas", "nus", "eps")
    slots = ("exp_avg", "exp_avg_sq")
    off = ("fixed_decay",)

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return the settings, ``nus`` as ``nu1`` and ``nu2``."""
        (beta1, beta2), (nu1, nu2) = group["betas"], group["nus"]
        named = {"beta1": beta1, "beta2": beta2, "nu1": nu1, "nu2": nu2, "eps": group["eps"]}
        return {name: float(value) for name, value in named.items()}

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return the shares of ``g`` and ``g²``, the settings, ``lr`` and ``eps``."""
        table: Table = {"lr": h["lr"], "eps": h["eps"]}
        for name in ("1", "2"):
            before = carry.get(f"count{name}", np.zeros(h["lr"].shape[1]))
            count: NDArray[np.float32] = np.asarray(before, np.float32)
            shares: list[NDArray[np.float32]] = []
            for beta in h[f"beta{name}"].astype(np.float32):
                count = beta * count + np.float32(1)
                shares.append(np.float32(1) / count)
            carry[f"count{name}"] = count.astype(np.float64)
            table[f"new{name}"] = np.array(shares, np.float64)
            table[f"nu{name}"] = h[f"nu{name}"]
        return table | {"of_g": 1 - h["nu1"], "of_squares": 1 - h["nu2"]}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        squares = g.square()
        m = torch.lerp(state[0], g, c["new1"])
        v = torch.lerp(state[1], squares, c["new2"])
        d = torch.addcmul(c["nu1"] * m, c["of_g"], g)
        root = torch.addcmul(c["nu2"] * v, c["of_squares"], squares).sqrt_().add_(c["eps"])
        return torch.addcdiv(w, c["lr"] * d, root, value=-1), (m, v)
