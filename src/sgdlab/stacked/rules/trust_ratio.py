"""The trust ratio of LARS and LAMB, for one run or a stack."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdlab.optimizers.trust_ratio import are_adapted
from sgdlab.stacked.rules.base import Numbers, Rule


class TrustRatioRule(Rule):
    """A rule that rescales some parameters, which the settings ``adapted`` (0 or 1) tell."""

    def numbers_of_each(self, group: Mapping[str, Any]) -> list[dict[str, float]]:
        """Return the settings for each parameter of a group, ``adapted`` among them."""
        own = self.numbers(group)
        return [{**own, "adapted": float(adapted)} for adapted in are_adapted(group)]


def is_adapted(h: Numbers) -> NDArray[np.float64]:
    """Return 1 where a tensor has a trust ratio, 0 where it keeps 1, ``[steps, runs]``.

    Args:
        h: The settings, those of `TrustRatioRule` among them.
    """
    return np.where(h["adapted"] != 0, 1.0, 0.0)


def trust_ratio(
    numerator: Tensor, denominator: Tensor, norms: tuple[Tensor, Tensor], adapted: Tensor
) -> Tensor:
    """Return ``numerator / denominator``, or 1 where a norm is zero or the tensor not adapted.

    Args:
        numerator: A 0-dim tensor for one run, ``[R, 1, …]`` for a stack, as all arguments.
        denominator: What it is divided by.
        norms: The norms that must not be zero: a tensor that is could else never leave zero.
        adapted: 1 where the tensor is adapted, else 0.
    """
    usable = torch.logical_and(*norms).logical_and(adapted)
    return torch.where(usable, numerator / denominator, 1.0)
