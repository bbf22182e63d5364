"""The optimizer of a run: its parameter groups, its decay, what it cannot be combined with."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from sgdlab.checks import is_number
from sgdlab.config.instantiate import call, target_of, where
from sgdlab.config.schema import FSDP, RunConfig
from sgdlab.errors import InputError
from sgdlab.optimizers.decay import use_decay_mode
from sgdlab.optimizers.family import family_of
from sgdlab.optimizers.groups import parameter_groups
from sgdlab.optimizers.roles import roles_of
from sgdlab.optimizers.traits import class_name, traits_of
from sgdlab.parametrization import lr_multipliers

_FUSED_ON = ("cpu", "cuda")
_ON_CPU_ALONE = ("torch.optim.Adagrad",)
"""What not every torch from 2.6 on has fused kernels for on CUDA."""


def optimizer_of(
    config: RunConfig,
    model: nn.Module,
    lr: float,
    of_loss: Mapping[str, nn.Parameter] | None = None,
    x: Any = None,
) -> Optimizer:
    """Return the optimizer of a config over the trainable parameters of ``model``.

    Args:
        config: The resolved config of the run.
        model: The model, on its device.
        lr: The learning rate before scheduling, scaled.
        of_loss: Trainable parameters of the loss by name, in a group of their own, without decay.
        x: An input, which shows the order of the model's layers to optimizers that ask for it.
    """
    label, section = where(config, "optimizer"), config.optimizer
    weight_decay = _weight_decay(config)
    groups = parameter_groups(
        model,
        weight_decay=weight_decay,
        bias_and_norm=config.decay.bias_and_norm,
        embeddings=config.decay.embeddings,
        decay_multipliers=config.decay.multipliers,
        lr_multipliers=config.lr_multipliers,
        widths=_widths(config, model, weight_decay),
        decay_by_lr=config.decay.mode != "independent",
        roles=roles_of(model, x) if traits_of(section).roles else None,
    )
    if of_loss:
        own: dict[str, Any] = {"params": list(of_loss.values())}
        if traits_of(section).roles:
            own["roles"] = ["vector"] * len(of_loss)
        groups.append(own | ({} if weight_decay is None else {"weight_decay": 0.0}))
    if not groups and config.freeze:
        raise InputError(f"freeze={config.freeze}: leaves no parameter to train")
    if not groups:
        raise InputError(f"{where(config, 'model')}: no trainable parameters")
    _refuse_complex(config, model)
    # Tuples, as torch documents them: some packages refuse the lists that YAML gives.
    tuples = {str(k): tuple(v) for k, v in section.items() if isinstance(v, list)}
    optimizer = call(section, label, {}, params=groups, **tuples, **_fastest(config, groups))
    if not isinstance(optimizer, Optimizer):
        raise InputError(f"{label}: {section['_target_']} gives no torch.optim.Optimizer")
    project = getattr(model, "project_", None) if getattr(model, "constrained", True) else None
    _refuse_combinations(config, optimizer, project is not None)
    if config.decay.mode is not None:
        use_decay_mode(optimizer, config.decay.mode, lr, label)
    if project is not None:
        optimizer.register_step_post_hook(torch.no_grad()(lambda *_: project()))
    return optimizer


def _refuse_complex(config: RunConfig, model: nn.Module) -> None:
    """Refuse what would be wrong for complex parameters: our own rules, which square gradients."""
    name = next((name for name, p in model.named_parameters() if p.is_complex()), None)
    if name is None:
        return
    has = f"{where(config, 'model')} has complex parameters ({name})"
    if str(config.optimizer.get("_target_")).startswith("sgdlab."):
        optimizer = where(config, "optimizer")
        raise InputError(f"{optimizer}: {has}; take one of torch's, such as adamw or nesterov")
    if config.diagnostics["quantities"] or config.diagnostics["at_end"]:
        raise InputError(f"{where(config, 'diagnostics')}: {has}; diagnostics=economy")


def _refuse_combinations(config: RunConfig, optimizer: Optimizer, projects: bool) -> None:
    label = where(config, "optimizer")
    traits = traits_of(config.optimizer).seen_in(optimizer)
    for key in ("clip_norm", "clip_value"):
        if (value := getattr(config, key)) is not None and traits.gradient_free:
            raise InputError(f"{key}={value}: {label} has no gradient; leave it null")
    if not traits.averages_itself:
        return
    if config.names.get("average", "none") != "none":
        average = where(config, "average")
        raise InputError(f"{average}: {label} evaluates an average of its own; average=none")
    if projects:
        raise InputError(f"{label}: its average would leave the set that is projected onto")


def _weight_decay(config: RunConfig) -> float | None:
    """Return the weight decay of the YAML, else the one that the constructor takes by itself."""
    if "weight_decay" in config.optimizer:
        return config.optimizer["weight_decay"]
    try:
        signature = inspect.signature(target_of(config.optimizer, where(config, "optimizer")))
    except (TypeError, ValueError):
        return None
    own = signature.parameters.get("weight_decay")
    return own.default if own and is_number(own.default) and own.default else None


def _widths(config: RunConfig, model: nn.Module, weight_decay: float | None) -> dict[str, float]:
    if config.parametrization == "standard":
        return {}
    factors = lr_multipliers(model, family_of(config.optimizer))
    name = class_name(config.optimizer)
    if weight_decay and "weight_decay" not in config.optimizer:
        raise InputError(
            f"parametrization=mup: {name} has weight_decay={weight_decay} by itself; write it into "
            "its YAML, where the id of a run sees it"
        )
    kind = config.decay.mode or traits_of(config.optimizer).decay
    if weight_decay and kind in (None, "own"):
        raise InputError(
            f"parametrization=mup: whether {name} multiplies weight_decay by lr is not known; set "
            "decay.mode=independent or decoupled, or write _traits_: {decay: decoupled} or "
            "{decay: coupled} into its YAML"
        )
    return factors


def _fastest(config: RunConfig, groups: list[dict[str, Any]]) -> dict[str, bool]:
    """Choose torch's fused kernels where neither they nor ``foreach`` were decided.

    The same arithmetic in one call instead of one per tensor and operation: on CPU half the time of
    SGD's step, two fifths of AdamW's.
    """
    section = config.optimizer
    if config.distributed.strategy == FSDP:  # torch has no such kernels for weights in parts
        return {}
    open_choice = "fused" in section and section["fused"] is None and section.get("foreach") is None
    params = [p for group in groups for p in group["params"]]
    devices = _FUSED_ON[:1] if section.get("_target_") in _ON_CPU_ALONE else _FUSED_ON
    possible = all(p.device.type in devices and p.is_floating_point() for p in params)
    return {"fused": True} if open_choice and possible and not section.get("differentiable") else {}
