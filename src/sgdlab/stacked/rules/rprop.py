"""The rule of torch.optim.Rprop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class RpropRule(Rule):
    """``w <- w - s·sign(g)``; ``s`` starts at the first rate and grows or shrinks by signs.

    ``s <- clamp(s·η)`` with ``η`` the larger of ``etas`` where ``g`` has the sign of the step
    before, the smaller where it has the other: there the step is left out, and the next one finds
    no sign before it.
    """

    settings = ("etas", "step_sizes")
    slots = ("prev", "step_size")

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return both pairs as four numbers."""
        names = ("shrink", "grow", "smallest", "largest")
        return dict(zip(names, map(float, (*group["etas"], *group["step_sizes"])), strict=True))

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return no gradient before, and the first step sizes; see `Rule.init`."""
        return torch.zeros_like(w), torch.zeros_like(w) + first["lr"]

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return the settings, and for `init` ``lr``."""
        return dict(h)

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        agreement, size = g * state[0], state[1]
        turned = agreement < 0
        factor = torch.where(agreement > 0, c["grow"], 1.0)
        factor = torch.where(turned, c["shrink"], factor)
        size = torch.clamp(size * factor, c["smallest"], c["largest"])
        # A factor that equals the smaller one counts as a turn, as in torch.
        g = torch.where(factor == c["shrink"], 0.0, g)
        return torch.addcmul(w, g.sign(), size, value=-1), (g, size)
