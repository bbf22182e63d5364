"""How far a tensor may move in relation to its own size: what LARS and LAMB share."""

import torch
from torch import Tensor


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
