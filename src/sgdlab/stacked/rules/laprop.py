"""The rule of pytorch_optimizer.LaProp."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class LaPropRule(Rule):
    """``m <- β₁·m + (1 - β₁)·lr·sqrt(1 - β₂^t)·g / (sqrt(v + 1e-15) + eps)``.

    ``w <- w - m·lr/a``, where ``a <- β₁·a + (1 - β₁)·lr`` corrects ``m`` at a rate that changes, in
    float32 as in the optimizer; ``v`` is Adam's. Decay comes after the step, ``(1 - lr·λ)·w``;
    without ``weight_decouple`` it reaches nothing.
    """

    decays = True
    settings = ("betas", "eps", "weight_decay", "weight_decouple")
    slots = ("exp_avg", "exp_avg_sq")
    off = ("centered", "ams_bound", "fixed_decay", "cautious")

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``keep``, ``new_v``, the rate ``inside`` and ``outside``, ``eps``, ``shrink``."""
        beta1, beta2, lr = h["beta1"], h["beta2"], h["lr"]
        rate = carry.get("rate", np.zeros(lr.shape[1]))
        rates: list[NDArray[np.float64]] = []
        for beta, of_step in zip(beta1, lr, strict=True):
            rate = rate * beta + (1 - beta) * of_step
            rates.append(rate)
        carry["rate"] = rate
        correction = np.divide(rates, lr, out=np.ones_like(lr), where=lr != 0)
        coefficients = {
            "keep": beta1,
            "new_v": 1 - beta2,
            "inside": (1 - beta1) * lr * np.sqrt(1 - beta2 ** t[:, None]),
            "outside": (1 / correction).astype(np.float32).astype(np.float64),
            "eps": h["eps"],
            "shrink": np.where(h["weight_decouple"] != 0, 1 - lr * h["weight_decay"], 1.0),
        }
        return self.without_idle(coefficients, shrink=1)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        v = torch.lerp(state[1], g.square(), c["new_v"])
        root = (v + 1e-15).sqrt_().add_(c["eps"])
        m = torch.addcdiv(c["keep"] * state[0], c["inside"] * g, root)
        w = torch.addcmul(w, c["outside"], m, value=-1)
        return (w * c["shrink"] if "shrink" in c else w), (m, v)
