"""The rule of torch.optim.NAdam."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class NAdamRule(Rule):
    """``w <- w - lr·(a·g + b·m) / (sqrt(v̂) + eps)``, with Adam's moments ``m`` and ``v``.

    ``a = (1 - μ_t) / (1 - Π_{i≤t} μ_i)``, ``b = μ_{t+1} / (1 - Π_{i≤t+1} μ_i)`` and
    ``μ_t = β₁·(1 - 0.96^(t·momentum_decay) / 2)``. The correction of ``v`` is moved into the
    scalars, as in `AdamRule`; the decay is the engine's business, whether decoupled or not.
    """

    settings = ("betas", "eps", "momentum_decay")
    slots = ("exp_avg", "exp_avg_sq")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
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

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        m = torch.lerp(state[0], g, c["new_m"])
        v = torch.lerp(state[1], g.square(), c["new_v"])
        mix = torch.addcmul(c["of_g"] * g, c["of_m"], m)
        return torch.addcdiv(w, mix, v.sqrt().add_(c["eps"]), value=-1), (m, v)


def _products(mu: NDArray[np.float64], carry: Table) -> NDArray[np.float64]:
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
