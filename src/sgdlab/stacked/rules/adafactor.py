"""The rule of torch.optim.Adafactor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class AdafactorRule(Rule):
    """``u = g / sqrt(v)``, ``w <- (1 - lr·λ)·w - α·u / max(1, rms(u)/d)``.

    ``α = max(eps₂, rms(w))·min(lr, 1/sqrt(t))`` with ``w`` before its decay. Of matrices, ``v`` is
    the outer product of the averages of ``g²`` over columns and over rows, divided by the mean of
    the first; of convolutions that of their last two dimensions.

    Attributes:
        eps: The smallest root of ``v``; None: that of the type.
    """

    eps: float | None

    by_shape = True
    decays = True
    settings = ("beta2_decay", "d", "weight_decay")
    slots = ("row_var", "col_var", "variance")

    @classmethod
    def of(cls, groups: Sequence[Mapping[str, Any]]) -> Rule | None:
        """Return the rule; see `Rule.of`."""
        found = {group["eps"][0] for group in groups}
        return cls(found.pop()) if len(found) == 1 else None

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return the settings, ``eps₂`` as ``eps2``."""
        return super().numbers(group) | {"eps2": float(group["eps"][1])}

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return zeros: two averages of matrices, or one of the size of a vector."""
        nothing = w.new_zeros(len(w), 0)
        if w.ndim <= 2:
            return nothing, nothing, torch.zeros_like(w)
        *before, rows, columns = w.shape
        return w.new_zeros(*before, rows, 1), w.new_zeros(*before, 1, columns), nothing

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``new``, ``rate``, ``eps2``, ``d`` and, where a run decays, ``shrink``."""
        step = t[:, None].astype(np.float64)
        coefficients = {
            "new": step ** h["beta2_decay"],
            "rate": np.minimum(h["lr"], 1 / np.sqrt(step)),
            "eps2": h["eps2"],
            "d": h["d"],
            "shrink": 1 - h["lr"] * h["weight_decay"],
        }
        return self.without_idle(coefficients, shrink=1)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        eps = torch.finfo(w.dtype).eps if self.eps is None else self.eps
        root = w[0].numel() ** 0.5
        alpha = torch.maximum(norm(w) / root, c["eps2"]) * c["rate"]
        if "shrink" in c:
            w = w * c["shrink"]
        rows, columns, v = state
        squares = g.square()
        if w.ndim > 2:
            rows = torch.lerp(rows, squares.mean(-1, keepdim=True), c["new"])
            columns = torch.lerp(columns, squares.mean(-2, keepdim=True), c["new"])
            spread = rows * columns / rows.mean(-2, keepdim=True).clamp_(min=eps)
        else:
            v = spread = torch.lerp(v, squares, c["new"])
        u = spread.clamp(min=eps * eps).rsqrt_().mul_(g)
        length = (norm(u) / (root * c["d"])).clamp_(min=1.0)
        return torch.addcmul(w, alpha / length, u, value=-1), (rows, columns, v)
