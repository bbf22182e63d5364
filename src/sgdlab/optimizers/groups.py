"""Parameter groups: which parameters weight decay applies to."""

from typing import Any

from torch import nn


def decay_groups(model: nn.Module, bias_and_norm: bool) -> list[dict[str, Any]]:
    """Return the trainable parameters of ``model`` as optimizer groups.

    Biases and the scales of normalisation layers (all that has ``ndim <= 1``) form a group of
    their own with ``weight_decay=0``: shrinking them does not regularise the function that the
    network computes (Goyal et al. 2017; He et al. 2019). Frozen parameters are in no group.

    Args:
        model: Its parameters with ``requires_grad``.
        bias_and_norm: Decay every trainable parameter; one group.
    """
    trainable = [p for p in model.parameters() if p.requires_grad]
    if bias_and_norm:
        return [{"params": trainable}]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trainable if p.ndim > 1]},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
