"""State that starts at zero."""

import torch
from torch import Tensor

from sgdlab.stacked.rules.base import Coefficients, Rule, State


class ZeroState(Rule):
    """A rule whose slots are all zero before the first step."""

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return zeros; see `Rule.init`."""
        return tuple(torch.zeros_like(w) for _ in self.slots)
