"""Parameter groups: what weight decay applies to, and multipliers of the rate."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from sgdlab.checks import require_number
from sgdlab.errors import InputError, suggest


def parameter_groups(
    model: nn.Module,
    *,
    weight_decay: float | None,
    bias_and_norm: bool = False,
    decay_multipliers: Mapping[str, float] | None = None,
    lr_multipliers: Mapping[str, float] | None = None,
    widths: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Return the trainable parameters of ``model`` as optimizer groups.

    Biases and the scales of normalisation layers (all that has ``ndim <= 1``) form a group of
    their own with ``weight_decay=0``: shrinking them does not regularise the function that the
    network computes (Goyal et al. 2017; He et al. 2019). Frozen parameters are in no group.
    Parameters with other multipliers form further groups, with ``lr_multiplier`` set.

    Args:
        model: Its parameters with ``requires_grad``.
        weight_decay: Of the optimizer; None when it has none, which leaves one group.
        bias_and_norm: Decay every trainable parameter.
        decay_multipliers: Factors on ``weight_decay`` by pattern of parameter names
            (``*.weight``, ``1.*``); a parameter that matches several gets their product.
        lr_multipliers: Factors on the learning rate, likewise.
        widths: Factors on the learning rate by exact name, from the parametrisation.

    Raises:
        InputError: A pattern matches no trainable parameter, or a factor is negative.
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    decay = _factors(decay_multipliers or {}, list(named), "decay.multipliers")
    rates = _factors(lr_multipliers or {}, list(named), "lr_multipliers")
    if decay_multipliers and weight_decay is None:
        raise InputError("decay.multipliers: this optimizer has no weight_decay")
    groups: dict[tuple[bool, float, float], dict[str, Any]] = {}
    for name, p in sorted(named.items(), key=lambda item: item[1].ndim <= 1):
        exempt = weight_decay is not None and p.ndim <= 1 and not bias_and_norm
        rate = rates[name] * (widths or {}).get(name, 1.0)
        key = (exempt, rate, decay[name])
        if key not in groups:
            groups[key] = {"params": []}
            if exempt:
                groups[key]["weight_decay"] = 0.0
            elif decay[name] != 1.0 and weight_decay is not None:
                groups[key]["weight_decay"] = weight_decay * decay[name]
            if rate != 1.0:
                groups[key]["lr_multiplier"] = rate
        groups[key]["params"].append(p)
    return list(groups.values())


def _factors(patterns: Mapping[str, float], names: list[str], where: str) -> dict[str, float]:
    factors = dict.fromkeys(names, 1.0)
    for key, factor in patterns.items():
        pattern = str(key)  # YAML reads 1 as a number
        require_number(f"{where}.{pattern}", factor, 0)
        matched = [name for name in names if fnmatchcase(name, pattern)]
        if not matched:
            hint = suggest(pattern, names)
            raise InputError(f"{where}: {pattern} matches no trainable parameter; {hint}")
        for name in matched:
            factors[name] *= factor
    return factors
