"""The rule of torch.optim.RMSprop."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class RMSpropRule(Rule):
    """``d = g / (sqrt(v) + eps)``, ``b <- momentum·b + d``, ``w <- w - lr·b``.

    ``v <- α·v + (1 - α)·g²``. A step without momentum moves by ``d`` and leaves ``b`` as it was, as
    in torch: ``b <- keep·b + take·d``, ``w <- w - direct·d - through·b``.

    Attributes:
        centered: Whether ``v - a²`` stands in the place of ``v``, with ``a <- α·a + (1 - α)·g``.
    """

    centered: bool = False

    settings = ("momentum", "alpha", "eps")

    @property
    def slots(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of the state tensors."""
        return ("square_avg", "momentum_buffer", *(["grad_avg"] if self.centered else []))

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new_v``, ``eps``, ``direct``; ``keep``, ``take``, ``through`` with momentum."""
        lr, momentum = h["lr"], h["momentum"]
        moves = momentum != 0
        always = {"new_v": 1 - h["alpha"], "eps": h["eps"]}
        if not moves.any():
            return {**always, "direct": lr}
        coefficients = {
            **always,
            "keep": np.where(moves, momentum, 1.0),
            "take": np.where(moves, 1.0, 0.0),
            "direct": np.where(moves, 0.0, lr),
            "through": np.where(moves, lr, 0.0),
        }
        return self.without_idle(coefficients, take=1, direct=0, through=0)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        v, buffer, *mean = state
        v = spread = torch.lerp(v, g.square(), c["new_v"])
        if self.centered:
            mean = [torch.lerp(mean[0], g, c["new_v"])]
            spread = torch.addcmul(v, mean[0], mean[0], value=-1)
        d = g / spread.sqrt().add_(c["eps"])
        if "keep" in c:
            buffer = torch.addcmul(c["take"] * d if "take" in c else d, c["keep"], buffer)
        if "direct" in c:
            w = torch.addcmul(w, c["direct"], d, value=-1)
        if "through" in c:
            w = torch.addcmul(w, c["through"], buffer, value=-1)
        return w, (v, buffer, *mean)
