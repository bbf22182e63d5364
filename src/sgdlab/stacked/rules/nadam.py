"""The rule of torch.optim.NAdam."""

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
class NAdamRule(ZeroState):
    """``w <- w - lr·(a·g + b·m) / (sqrt(v̂) + eps)``, with Adam's moments ``m`` and ``v``.

    ``a = (1 - μ_t) / (1 - Π_{i≤t} μ_i)``, ``b = μ_{t+1} / (1 - Π_{i≤t+1} μ_i)`` and
    ``μ_t = β₁·(1 - 0.96^(t·momentum_decay) / 2)``. The correction of ``v`` is moved into the
    scalars, as in `Adam`; the decay is the engine's business, whether decoupled or not.
    """

    decay = "coupled"
    slots = ("exp_avg", "exp_avg_sq")

    @classmethod
    def of(cls, group: Mapping[str, Any]) -> "NAdamRule":
        """Return the rule; see `Rule.of`."""
        return cls()

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return ``beta1``, ``beta2``, ``eps`` and ``momentum_decay``."""
        beta1, beta2 = group["betas"]
        others = {name: float(group[name]) for name in ("eps", "momentum_decay")}
        return {"beta1": float(beta1), "beta2": float(beta2), **others}

    def coefficients(
        self, h: Numbers, t: NDArray[np.int64], carry: Carry
    ) -> dict[str, NDArray[np.float64]]:
        """Return ``new_m``, ``new_v``, ``eps``, and the rates ``of_g`` and ``of_m``."""
        beta1, beta2, slow, t = h["beta1"], h["beta2"], h["momentum_decay"], t[:, None]
        root = np.sqrt(1 - beta2**t)
        rate = h["lr"] * root
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * slow))
        following = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * slow))
        product = _products(mu, carry)
        return {
            "new_m": 1 - beta1,
            "new_v": 1 - beta2,
            "eps": h["eps"] * root,
            "of_g": rate * (1 - mu) / (1 - product),
            "of_m": rate * following / (1 - product * following),
        }

    def update(
        self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm
    ) -> tuple[Tensor, State]:
        """Make a step; see `Rule.update`."""
        m = torch.lerp(state[0], g, c["new_m"])
        v = torch.lerp(state[1], g.square(), c["new_v"])
        mix = torch.addcmul(c["of_g"] * g, c["of_m"], m)
        return torch.addcdiv(w, mix, v.sqrt().add_(c["eps"]), value=-1), (m, v)


def _products(mu: NDArray[np.float64], carry: Carry) -> NDArray[np.float64]:
    """Return ``Π_{i≤t} μ_i`` of a block, rounded in every step as torch does.

    torch keeps the product in its default type, float32 unless a program changes it, which is
    seen in the first steps of a run in float64.
    """
    kept = np.float64 if torch.get_default_dtype() == torch.float64 else np.float32
    before = carry.get("mu_product", np.ones(mu.shape[1]))
    factors = np.concatenate([before[None], mu]).astype(kept)
    products = np.multiply.accumulate(factors).astype(np.float64)
    carry["mu_product"] = products[-1]
    return products[1:]
