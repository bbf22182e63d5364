"""The rule of torch.optim.Adagrad."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Moved, Norm, Numbers, Rule, State, Steps, Table


@dataclass(frozen=True)
class AdagradRule(Rule):
    """``s <- s + g²``, ``w <- w - lr / (1 + (t - 1)·lr_decay) · g / (sqrt(s) + eps)``.

    ``s`` starts at ``initial_accumulator_value``.
    """

    slots = ("sum",)
    settings = ("lr_decay", "eps", "initial_accumulator_value")

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return the initial sum; see `Rule.init`."""
        return (torch.zeros_like(w) + first["initial"],)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return ``rate``, ``eps`` and, for `init`, ``initial``."""
        rate = h["lr"] / (1 + (t[:, None] - 1) * h["lr_decay"])
        return {"rate": rate, "eps": h["eps"], "initial": h["initial_accumulator_value"]}

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Make a step; see `Rule.update`."""
        total = torch.addcmul(state[0], g, g)
        root = total.sqrt().add_(c["eps"])
        return torch.addcdiv(w, c["rate"] * g, root, value=-1), (total,)
