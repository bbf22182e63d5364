"""How far a tensor may move in relation to its own size: what LARS and LAMB share."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sgdlab.optimizers.kinds import BIAS_AND_NORM


def trust_ratio(numerator: Tensor, denominator: Tensor, *norms: Tensor) -> Tensor:
    """Return ``numerator / denominator``, or 1 where one of ``norms`` is zero.

    Nothing is read back from the device.

    Args:
        numerator: 0-dim.
        denominator: 0-dim.
        norms: 0-dim; without them a tensor that is zero could never leave zero, and one without
            a gradient would be divided by zero.

    Returns:
        A 0-dim tensor.
    """
    usable = torch.stack(norms).all()
    return torch.where(usable, numerator / denominator, torch.ones_like(numerator))


def are_adapted(group: Mapping[str, Any]) -> list[bool]:
    """Say for each parameter of a group whether it has a trust ratio.

    With ``exclude_bias_and_norm`` those have none whose role is a bias, a normalisation's or a
    vector's; where a group says no ``roles``, those with ``ndim <= 1``.
    """
    params = group["params"]
    if not group["exclude_bias_and_norm"]:
        return [True] * len(params)
    if "roles" not in group:
        return [p.ndim > 1 for p in params]
    return [role not in BIAS_AND_NORM for role in group["roles"]]
