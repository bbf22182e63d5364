"""The rule of torch.optim.SGD: plain, heavy ball and Nesterov."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdlab.stacked.rules.base import Carry, Coefficients, Norm, Numbers, State
from sgdlab.stacked.rules.idle import without_idle
from sgdlab.stacked.rules.zero_state import ZeroState


@dataclass(frozen=True)
class SGDRule(ZeroState):
    """``b <- μ·b + (1 - dampening)·g``, ``w <- w - lr·d``; ``d`` is ``g``, ``b`` or ``g + μ·b``.

    As in torch, ``b = g`` in the first step with a momentum, and a step with ``μ = 0`` is plain SGD
    and leaves ``b`` as it was, where a schedule of the momentum passes through 0. All of these are
    ``b <- keep·b + take·g``, ``w <- w - direct·g - through·b``, so they differ in numbers only.
    """

    decay = "coupled"
    slots = ("momentum_buffer",)

    @classmethod
    def of(cls, group: Mapping[str, Any]) -> "SGDRule":
        """Return the rule; see `Rule.of`."""
        return cls()

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return ``momentum``, ``dampening``, and ``nesterov`` as 0 or 1."""
        return {name: float(group[name]) for name in ("momentum", "dampening", "nesterov")}

    def coefficients(
        self, h: Numbers, t: NDArray[np.int64], carry: Carry
    ) -> dict[str, NDArray[np.float64]]:
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
        return without_idle(coefficients, take=1, direct=0, through=0)

    def update(
        self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm
    ) -> tuple[Tensor, State]:
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
