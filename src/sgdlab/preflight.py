"""Before a run leaves any file: what would be refused, and what is probably not meant."""

import functools
import json
from typing import Any, cast

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import nn

from sgdlab.build import (
    Setup,
    dataset_of,
    device_of,
    extend_path,
    model_of,
    setup,
)  # fmt: skip
from sgdlab.errors import InputError
from sgdlab.groups import conf_dir
from sgdlab.instantiate import is_out_of_memory
from sgdlab.parametrization import family_of
from sgdlab.schedules.base import Schedule
from sgdlab.steps.base import has_momentum

_PROBE_KEYS = ("dataset", "split", "model", "dtype", "names", "parametrization")


def check(config: DictConfig) -> list[str]:
    """Build a settled config and drop it: what a run would refuse is refused before its folder.

    Returns:
        What is legal and probably not meant, a line each.

    Raises:
        InputError: As `setup`.
    """
    _refuse_wrong_types(config)
    extend_path(config)
    try:
        device_of(config)
        key = {name: config[name] for name in _PROBE_KEYS}
        probe = _probe(json.dumps(OmegaConf.to_container(OmegaConf.create(key)), sort_keys=True))
        return _doubts(config, setup(config, probe))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return []  # The run itself ends as failed, with advice; a sweep goes on.


@functools.lru_cache(maxsize=2)
def _probe(key: str) -> nn.Module:
    config = OmegaConf.create({**json.loads(key), "seed": 0})
    assert isinstance(config, DictConfig)
    return model_of(config, dataset_of(config))


def _refuse_wrong_types(config: DictConfig) -> None:
    """Refuse a value of another kind than the shipped YAML of the chosen member has there."""
    for group, member in config.names.items():
        for key, default in _defaults(group, member).items():
            value = config[group].get(key, default)
            numeric = isinstance(default, float | int) and not isinstance(default, bool)
            is_number = isinstance(value, float | int) and not isinstance(value, bool)
            where = f"{group}.{key}={value}"
            if numeric and value is not None and not is_number:
                raise InputError(f"{where}: expected a number, such as {default}")
            if isinstance(default, bool) and not isinstance(value, bool | None):
                raise InputError(f"{where}: expected true or false")
            if key == "betas":
                wanted = len(cast("list[float]", default))
                if not isinstance(value, ListConfig) or len(value) != wanted:
                    raise InputError(f"{where}: expected {wanted} numbers, such as {default}")


@functools.cache
def _defaults(group: str, member: str) -> dict[str, Any]:
    path = conf_dir() / group / f"{member}.yaml"
    if not path.is_file():
        return {}
    return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(path)))


def _doubts(config: DictConfig, built: Setup) -> list[str]:
    """Say what is legal and probably not meant."""
    doubts: list[str] = []
    if config.scaling.get("candidates"):
        doubts.append(
            "scaling.candidates counts under -m and in compare only: this run uses the rule alone"
        )
    # A schedule of the user's own need not have a warm-up.
    own = isinstance(built.schedule, Schedule)
    steps = built.schedule.warmup(built.plan.steps_per_epoch) if own else 0
    if steps >= built.total_steps:
        doubts.append(
            f"the warm-up of {steps} steps does not end within the run's {built.total_steps}: "
            "lr never reaches its base value; set schedule.warmup_epochs=0"
        )
    if (
        config.scaling._target_.endswith("scaling.Linear")
        and _is_adaptive(built.optimizer)
        and built.lr != built.base_lr
    ):
        doubts.append(
            "scaling=linear with an adaptive optimizer overshoots as the batch grows; "
            "its rule is scaling=sqrt"
        )
    length = built.total_steps, built.plan.steps_per_epoch
    if built.average and not any(built.average.due(t + 1, *length) for t in range(length[0])):
        doubts.append(
            f"average={config.names.get('average')} takes in no weights of these {length[0]} steps:"
            " lower average.start or average.every, or train longer"
        )
    name, schedule = config.names.get("optimizer"), config.names.get("schedule")
    moves = own and built.schedule.momentum(0, built.total_steps, 1) is not None
    if moves and not has_momentum(built.optimizer):
        doubts.append(
            f"schedule={schedule} moves the momentum, too, and optimizer={name} has none: "
            "only lr is scheduled"
        )
    if callable(getattr(built.optimizer, "eval", None)) and _decays(built):
        doubts.append(
            f"optimizer={name} replaces the decay of the learning rate by an average: "
            "use schedule=constant"
        )
    return doubts


def _is_adaptive(optimizer: torch.optim.Optimizer) -> bool:
    try:
        return family_of(type(optimizer)) == "adam"
    except InputError:
        return False


def _decays(built: Setup) -> bool:
    total, per_epoch = built.total_steps, built.plan.steps_per_epoch
    return built.schedule(total, total, per_epoch) < 0.5
