"""The rule of sgdlab.optimizers.muon.Muon."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sgdlab.optimizers.muon import orthogonalized
from sgdlab.stacked.rules.adam import AdamRule
from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table

_ADAM = AdamRule()
# What the call of a product costs, in operations.
_CALL = 700_000
_OF_MATRICES = ("nesterov", "ns_coefficients", "ns_steps", "eps", "adjust_lr_fn")


@dataclass(frozen=True)
class MuonRule(Rule):
    """``W <- W - lr·r·NS(M)`` for hidden matrices, `AdamRule` for the rest.

    ``B <- μ·B + (1 - μ)·G``, ``M = μ·B + (1 - μ)·G`` or, without ``nesterov``, ``B``. The
    Newton–Schulz steps are those of the optimizer itself, run by run: in bfloat16 another order of
    a sum is another number in the third digit.

    Attributes:
        nesterov: See above.
        ns_coefficients: Those of the polynomial.
        ns_steps: How often it is applied.
        eps: The smallest norm that ``M`` is divided by.
        adjust_lr_fn: Which ``r``.
    """

    nesterov: bool
    ns_coefficients: tuple[float, ...]
    ns_steps: int
    eps: float
    adjust_lr_fn: str

    by_shape = True
    run_by_run = True
    settings = ("momentum",)
    slots = ("momentum_buffer", "exp_avg", "exp_avg_sq")

    @classmethod
    def of(cls, groups: Sequence[Mapping[str, Any]]) -> Rule | None:
        """Return the rule; see `Rule.of`. Without hidden matrices its attributes mean nothing."""
        found = {tuple(g[key] for key in _OF_MATRICES) for g in groups if g["use_muon"]}
        if not found:
            return cls(False, (), 0, 0.0, "")
        return cls(*found.pop()) if len(found) == 1 else None

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return ``momentum`` of matrices, and the settings of Adam of the rest."""
        return super().numbers(group) if group["use_muon"] else _ADAM.numbers(group)

    def operations(self, params: Sequence[Tensor]) -> float:
        """Return those of the products of all Newton–Schulz steps; the last matrix has none."""
        shapes = [(len(p), p[0].numel()) for p in params if p.ndim > 1][:-1]
        sizes = [(min(shape), max(shape)) for shape in shapes]
        products = self.ns_steps * 3 * len(sizes)
        return self.ns_steps * sum(4 * m * m * n + 2 * m**3 for m, n in sizes) + products * _CALL

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return a buffer for matrices, two moments for the rest; the others are empty."""
        nothing, zeros = w.new_zeros(len(w), 0), torch.zeros_like(w)
        return (zeros, nothing, nothing) if "momentum" in first else (nothing, zeros, zeros)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``momentum``, ``new`` and ``lr`` of matrices, Adam's of the rest."""
        if "momentum" not in h:
            return _ADAM.coefficients(h, t, carry)
        return {"momentum": h["momentum"], "new": 1 - h["momentum"], "lr": h["lr"]}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        buffer, *moments = state
        if "momentum" not in c:
            w, (m, v) = _ADAM.update(w, g, tuple(moments), c, norm)
            return w, (buffer, m, v)
        buffer = torch.lerp(buffer, g, c["new"])
        m = torch.lerp(g, buffer, c["momentum"]) if self.nesterov else buffer
        matrices = m.flatten(2)
        settings = self.ns_coefficients, self.ns_steps, self.eps
        o = torch.stack([orthogonalized(own, *settings) for own in matrices]).view(w.shape)
        rate = c["lr"] * self._ratio(*matrices.shape[1:])
        return torch.addcmul(w, rate, o.to(w.dtype), value=-1), (buffer, *moments)

    def _ratio(self, rows: int, columns: int) -> float:
        if self.adjust_lr_fn == "original":
            return math.sqrt(max(1.0, rows / columns))
        return 0.2 * math.sqrt(max(rows, columns))
