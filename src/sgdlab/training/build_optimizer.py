"""The optimizer of a run: its parameter groups, its decay, what it cannot be combined with."""

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from sgdlab.config.instantiate import call, where
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError
from sgdlab.optimizers.decay import use_decay_mode
from sgdlab.optimizers.family import family_of
from sgdlab.optimizers.groups import parameter_groups
from sgdlab.optimizers.traits import traits_of
from sgdlab.parametrization import lr_multipliers


def optimizer_of(config: RunConfig, model: nn.Module, lr: float) -> Optimizer:
    """Return the optimizer of a config over the trainable parameters of ``model``.

    Args:
        config: The resolved config of the run.
        model: The model, on its device.
        lr: The learning rate before scheduling, scaled.
    """
    label, section = where(config, "optimizer"), config.optimizer
    groups = parameter_groups(
        model,
        weight_decay=section.get("weight_decay"),
        bias_and_norm=config.decay.bias_and_norm,
        decay_multipliers=config.decay.multipliers,
        lr_multipliers=config.lr_multipliers,
        widths=_widths(config, model),
    )
    if not groups:
        raise InputError(f"{where(config, 'model')}: no trainable parameters")
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


def _refuse_combinations(config: RunConfig, optimizer: Optimizer, projects: bool) -> None:
    label = where(config, "optimizer")
    traits = traits_of(config.optimizer).seen_in(optimizer)
    if config.clip_norm is not None and traits.gradient_free:
        raise InputError(f"clip_norm={config.clip_norm}: {label} has no gradient; leave it null")
    if not traits.averages_itself:
        return
    if config.names.get("average", "none") != "none":
        average = where(config, "average")
        raise InputError(f"{average}: {label} evaluates an average of its own; average=none")
    if projects:
        raise InputError(f"{label}: its average would leave the set that is projected onto")


def _widths(config: RunConfig, model: nn.Module) -> dict[str, float]:
    if config.parametrization == "standard":
        return {}
    return lr_multipliers(model, family_of(config.optimizer))


def _fastest(config: RunConfig, groups: list[dict[str, Any]]) -> dict[str, bool]:
    """Choose torch's fused kernels on CPU where neither they nor ``foreach`` were decided.

    The same arithmetic in one call instead of one per tensor and operation: half the time of
    SGD's step, two fifths of AdamW's.
    """
    section = config.optimizer
    open_choice = "fused" in section and section["fused"] is None and section.get("foreach") is None
    on_cpu = all(p.device.type == "cpu" for group in groups for p in group["params"])
    return {"fused": True} if open_choice and on_cpu and not section.get("differentiable") else {}
