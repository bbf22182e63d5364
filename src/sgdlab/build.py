"""From a settled config to objects. The only caller of `hydra.utils.instantiate`."""

import functools
import inspect
import json
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from sgdlab.batches import BatchPlan, stream_seed
from sgdlab.datasets.base import Dataset
from sgdlab.datasets.split import prepare
from sgdlab.errors import InputError
from sgdlab.identity import device_kind
from sgdlab.optimizers.groups import decay_groups
from sgdlab.schedules.base import Schedule


@dataclass
class Setup:
    """All that the training loop of one run needs."""

    model: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    optimizer: Optimizer
    schedule: Schedule
    data: Dataset
    plan: BatchPlan
    base_lr: float
    lr: float
    total_steps: int
    seed: int
    device: torch.device
    bf16: bool
    clip_norm: float | None
    loss_factor: float | None
    eval_every: int
    eval_batch_size: int
    evaluate_test: bool
    checkpoint_every: int | None


def device_of(config: DictConfig) -> torch.device:
    """Return the device of a config.

    Raises:
        InputError: CUDA is asked for and this machine or this torch has none.
    """
    if device_kind(config.device) == "cpu":
        return torch.device("cpu")
    device = torch.device("cuda" if config.device == "auto" else config.device)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        has = f"torch {torch.__version__} sees {count} CUDA devices here"
        raise InputError(f"device={config.device}: {has}; use device=cpu or device=auto")
    return device


def dataset_of(config: DictConfig) -> Dataset:
    """Return the dataset of a config, split and standardised; kept for the runs that follow."""
    return _dataset(
        json.dumps(OmegaConf.to_container(config.dataset), sort_keys=True),
        str(config.names.get("dataset", "dataset")),
        config.split.seed,
        config.split.val,
        config.split.test,
    )


@functools.lru_cache(maxsize=4)
def _dataset(section: str, name: str, seed: int, val: float, test: float) -> Dataset:
    loaded = _call(cast(DictConfig, OmegaConf.create(json.loads(section))), f"dataset={name}")
    return prepare(loaded, name=name, seed=seed, val=val, test=test)


def model_of(config: DictConfig, data: Dataset) -> nn.Module:
    """Return the model of a config at its initial weights, on CPU.

    ``input_shape`` and ``num_outputs`` come from the dataset and are passed to constructors that
    take them. The stream ``init`` of the seed decides the weights, the same on every device.
    """
    sizes = {"input_shape": data.input_shape, "num_outputs": data.num_outputs}
    where = _where(config, "model")
    target = _target(config.model, where)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "init"))
        model = _call(config.model, where, **_accepted(target, sizes))
        if not isinstance(model, nn.Module):
            raise InputError(f"{where}: {config.model._target_} gives no torch.nn.Module")
        if any(is_lazy(p) for p in model.parameters()):
            with torch.no_grad():  # lazy layers get their shapes from the data, now and by `init`
                model.eval()(data.train.x[:2])
            model.train()
    return model.to(getattr(torch, config.dtype))


def optimizer_of(config: DictConfig, model: nn.Module) -> Optimizer:
    """Return the optimizer of a config over the trainable parameters of ``model``."""
    where = _where(config, "optimizer")
    groups = decay_groups(model, config.decay.bias_and_norm)
    if not groups:
        raise InputError(f"{_where(config, 'model')}: no trainable parameters")
    optimizer = _call(config.optimizer, where, params=groups, **_fastest(config, groups))
    if not isinstance(optimizer, Optimizer):
        raise InputError(f"{where}: {config.optimizer._target_} gives no torch.optim.Optimizer")
    return optimizer


def _fastest(config: DictConfig, groups: list[dict[str, Any]]) -> dict[str, bool]:
    """Choose torch's fused kernels on CPU where neither they nor ``foreach`` were decided.

    The same arithmetic in one call instead of one per tensor and operation: half the time of
    SGD's step, two fifths of AdamW's.
    """
    section = config.optimizer
    open_choice = "fused" in section and section.fused is None and section.get("foreach") is None
    on_cpu = all(p.device.type == "cpu" for group in groups for p in group["params"])
    return {"fused": True} if open_choice and on_cpu and not section.get("differentiable") else {}


def plan_of(config: DictConfig) -> BatchPlan:
    """Return how an epoch of a config is cut into updates."""
    return BatchPlan.of(config.batch_size, config.accumulate, len(dataset_of(config).train.y))


def total_steps(config: DictConfig) -> int:
    """Return how many updates a config asks for: ``max_steps``, else ``epochs`` in updates."""
    return config.max_steps or config.epochs * plan_of(config).steps_per_epoch


def setup(config: DictConfig, probe: nn.Module | None = None) -> Setup:
    """Build a settled config.

    Args:
        config: As `sgdlab.config.settle` returns it.
        probe: A model to use instead of a new one, on CPU, when nothing will be trained.

    Raises:
        InputError: A part cannot be built from its settings; one line says which and why.
    """
    extend_path(config)
    device = torch.device("cpu") if probe is not None else device_of(config)
    data = dataset_of(config)
    plan = plan_of(config)
    model = probe if probe is not None else model_of(config, data).to(device)
    optimizer = optimizer_of(config, model)
    loss_arguments = _accepted(_target(config.loss, _where(config, "loss")), {"task": data.task})
    schedule = cast(Schedule, _call(config.schedule, _where(config, "schedule")))
    scaling = _call(config.scaling, _where(config, "scaling"))
    return Setup(
        model=model,
        loss=_call(config.loss, _where(config, "loss"), **loss_arguments),
        optimizer=optimizer,
        schedule=schedule,
        data=data.to(device, getattr(torch, config.dtype)),
        plan=plan,
        base_lr=config.lr,
        lr=scaling(config.lr, plan.effective_batch_size),
        total_steps=total_steps(config),
        seed=config.seed,
        device=device,
        bf16=config.precision == "bf16",
        clip_norm=config.clip_norm,
        loss_factor=config.limits.loss_factor,
        eval_every=config.eval.every,
        eval_batch_size=config.eval.batch_size,
        evaluate_test=config.evaluate_test,
        checkpoint_every=config.checkpoint.every,
    )


def extend_path(config: DictConfig) -> None:
    """Make a user's own Python files importable; in the worker of a launcher, too."""
    for folder in (*config.import_from, str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)


def _where(config: DictConfig, group: str) -> str:
    return f"{group}={config.names.get(group, '?')}"


def _target(section: DictConfig, where: str) -> Callable[..., Any]:
    if "_target_" not in section:
        raise InputError(f"{where}: no _target_ in its YAML; it names the class or function")
    try:
        return pkgutil.resolve_name(section._target_)
    except Exception as error:
        line = " ".join(str(error).split())
        raise InputError(f"{where}: cannot import {section._target_}: {line}") from error


def _accepted(target: Callable[..., Any], offered: dict[str, Any]) -> dict[str, Any]:
    """Return those of the ``offered`` arguments that ``target`` takes."""
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return {}
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return offered
    return {key: value for key, value in offered.items() if key in parameters}


def _call(section: DictConfig, where: str, **arguments: Any) -> Any:
    _target(section, where)
    try:
        return instantiate(section, **arguments, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__ or error
        if is_out_of_memory(cause):
            raise cause from None
        if isinstance(cause, InputError):
            text = str(cause)
            raise InputError(text if where in text else f"{where}: {text}") from error
        line = " ".join(str(cause).split()) or type(cause).__name__
        raise InputError(f"{where}: {line}{_settings(section)}") from error


def _settings(section: DictConfig) -> str:
    values = {
        k: v for k, v in section.items() if k != "_target_" and v is not None and v is not False
    }
    return f" ({', '.join(f'{key}={value}' for key, value in values.items())})" if values else ""


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out, on any device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "not enough memory" in text or "out of memory" in text
    )
