"""The rule of torch.optim.SGD: plain, heavy ball and Nesterov."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class SGDRule(Rule):
    """``b <- μ·b + (1 - dampening)·g``, ``w <- w - lr·d``; ``d`` is ``g``, ``b`` or ``g + μ·b``.

    As in torch, ``b = g`` in the first step with a momentum, and a step with ``μ = 0`` is plain SGD
    and leaves ``b`` as it was, where a schedule of the momentum passes through 0. All of these are
    ``b <- keep·b + take·g``, ``w <- w - direct·g - through·b``, so they differ in numbers only.
    """

    settings = ("momentum", "dampening", "nesterov")
    slots = ("momentum_buffer",)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``direct``, and ``keep``, ``take``, ``through`` where a run has momentum."""
        lr, momentum = h["lr"], h["momentum"]
        moves = momentum != 0
        before = carry.get("begun", np.zeros(lr.shape[1]))
        begun = np.logical_or.accumulate([before != 0, *moves])
        carry["begun"] = begun[-1].astype(np.float64)
        if not moves.any():
            return {"direct": lr}
        follows = begun[:-1]
        through = np.where(h["nesterov"] != 0, momentum, 1.0)
        coefficients = {
            "keep": np.where(moves, np.where(follows, momentum, 0.0), 1.0),
            "take": np.where(moves, np.where(follows, 1 - h["dampening"], 1.0), 0.0),
            "direct": lr * np.where(moves, h["nesterov"], 1.0),
            "through": lr * np.where(moves, through, 0.0),
        }
        return self.without_idle(coefficients, take=1, direct=0, through=0)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        (buffer,) = state
        if "keep" in c:
            taken = c["take"] * g if "take" in c else g
            buffer = torch.addcmul(taken, c["keep"], buffer)
        if "direct" in c:
            w = torch.addcmul(w, c["direct"], g, value=-1)
        if "through" in c:
            w = torch.addcmul(w, c["through"], buffer, value=-1)
        return w, (buffer,)
