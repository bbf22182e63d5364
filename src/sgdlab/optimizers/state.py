"""Loading an optimizer's state without a change of precision."""

from typing import Any

import torch
from torch.optim import Optimizer


def load_exactly(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """Load what ``optimizer.state_dict()`` returned, each tensor in the type that it had.

    `torch.optim.Optimizer.load_state_dict` casts state to the type of its parameter: NAdam's
    product of momenta, kept in float32, would go on in float64 and give other bits.
    """
    optimizer.load_state_dict(saved)
    numbers = [number for group in saved["param_groups"] for number in group["params"]]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, p in zip(numbers, parameters, strict=True):
        for key, value in saved["state"].get(number, {}).items():
            loaded = optimizer.state[p].get(key)
            if torch.is_tensor(loaded) and loaded.dtype != value.dtype:
                optimizer.state[p][key] = value.to(loaded.device)
