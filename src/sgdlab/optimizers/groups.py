"""Parameter groups: what weight decay applies to, and multipliers of the rate."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from sgdlab.checks import require_number
from sgdlab.errors import InputError, suggest
from sgdlab.optimizers.kinds import BIAS_AND_NORM, EMBEDDING, kinds_of


def parameter_groups(
    model: nn.Module,
    *,
    weight_decay: float | None,
    bias_and_norm: bool = False,
    embeddings: bool = True,
    decay_multipliers: Mapping[str, float] | None = None,
    lr_multipliers: Mapping[str, float] | None = None,
    widths: Mapping[str, float] | None = None,
    decay_by_lr: bool = True,
    roles: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return the trainable parameters of ``model`` as optimizer groups.

    Biases and the parameters of normalisation layers, told by their modules
    (`sgdlab.optimizers.kinds`), form a group of their own with ``weight_decay=0``: shrinking them
    does not regularise the function that the network computes (Goyal et al. 2017; He et al. 2019).
    Embeddings decay as weights do, unless ``embeddings`` is false. Frozen parameters are in no
    group. Parameters with other multipliers form further groups, with ``lr_multiplier`` set.

    Args:
        model: Its parameters with ``requires_grad``.
        weight_decay: Of the optimizer; None when it has none, which leaves one group.
        bias_and_norm: Decay biases and normalisations, too.
        embeddings: Decay embeddings, too, an output layer that is one among them.
        decay_multipliers: Factors on ``weight_decay`` by pattern of parameter names
            (``*.weight``, ``1.*``); a parameter that matches several gets their product. One that
            several modules share goes by each of its names.
        lr_multipliers: Factors on the learning rate, likewise.
        widths: Factors on the learning rate by exact name, from the parametrisation.
        decay_by_lr: Whether the optimizer multiplies the decay by the learning rate; then it is
            divided by ``widths``, so that their product is the same at every width.
        roles: What each parameter is, by exact name (`sgdlab.optimizers.roles`); each group then
            has a list ``roles``, one for each of its ``params``.

    Raises:
        InputError: A pattern matches no trainable parameter, or a factor is negative.
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    aliases = _aliases(model, named)
    decay = _factors(decay_multipliers or {}, aliases, "decay.multipliers")
    rates = _factors(lr_multipliers or {}, aliases, "lr_multipliers")
    kinds = kinds_of(model)
    left_out = (*(() if bias_and_norm else BIAS_AND_NORM), *(() if embeddings else (EMBEDDING,)))
    if decay_multipliers and weight_decay is None:
        raise InputError("decay.multipliers: this optimizer has no weight_decay")
    groups: dict[tuple[bool, float, float], dict[str, Any]] = {}
    last = {*BIAS_AND_NORM, *left_out}
    for name, p in sorted(named.items(), key=lambda item: kinds[item[0]] in last):
        exempt = weight_decay is not None and kinds[name] in left_out
        width = (widths or {}).get(name, 1.0)
        rate, factor = rates[name] * width, decay[name] / (width if decay_by_lr else 1.0)
        key = (exempt, rate, factor)
        if key not in groups:
            groups[key] = {"params": []}
            if exempt:
                groups[key]["weight_decay"] = 0.0
            elif factor != 1.0 and weight_decay is not None:
                groups[key]["weight_decay"] = weight_decay * factor
            if rate != 1.0:
                groups[key]["lr_multiplier"] = rate
        groups[key]["params"].append(p)
        if roles is not None:
            groups[key].setdefault("roles", []).append(roles[name])
    return list(groups.values())


def _aliases(model: nn.Module, named: Mapping[str, nn.Parameter]) -> dict[str, list[str]]:
    """Return all names of each parameter; one that modules share has several."""
    first = {id(p): name for name, p in named.items()}
    aliases: dict[str, list[str]] = {name: [] for name in named}
    for name, p in model.named_parameters(remove_duplicate=False):
        if id(p) in first:
            aliases[first[id(p)]].append(name)
    return aliases


def _factors(
    patterns: Mapping[str, float], aliases: Mapping[str, list[str]], where: str
) -> dict[str, float]:
    factors = dict.fromkeys(aliases, 1.0)
    for key, factor in patterns.items():
        pattern = str(key)  # YAML reads 1 as a number
        require_number(f"{where}.{pattern}", factor, 0)
        matched = [
            name for name, all_names in aliases.items()
            if any(fnmatchcase(alias, pattern) for alias in all_names)
        ]  # fmt: skip
        if not matched:
            hint = suggest(pattern, aliases)
            raise InputError(f"{where}: {pattern} matches no trainable parameter; {hint}")
        for name in matched:
            factors[name] *= factor
    return factors
