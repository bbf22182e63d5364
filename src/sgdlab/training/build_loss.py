"""The loss and the metric of a run, from its config and its data."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from sgdlab.config.instantiate import call_or_bind, target_of, where
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset
from sgdlab.errors import InputError
from sgdlab.losses.contract import (
    ignored_label,
    is_scale_free,
    is_step,
    on,
    takes_probabilities,
)
from sgdlab.losses.mean import Mean
from sgdlab.metrics.base import Metric, Scale
from sgdlab.metrics.own import as_metric
from sgdlab.steps.batches import stream_seed
from sgdlab.steps.criterion import Criterion, StepCriterion
from sgdlab.steps.streams import seeded


def loss_of(config: RunConfig, data: Dataset) -> Callable[[Any, Tensor], Tensor]:
    """Return the loss of a config, on CPU; parameters that it draws follow the seed.

    Raises:
        InputError: It cannot be built, or does not go with the data.
    """
    label = where(config, "loss")
    offered = {
        "task": data.task,
        "num_outputs": data.num_outputs,
        "class_counts": data.class_counts,
    }
    with seeded(stream_seed(config.seed, "loss"), devices=[]):
        loss: Any = call_or_bind(config.loss, label, offered)
    if not callable(loss):
        raise InputError(
            f"{label}: {config.loss['_target_']} gives no function of (output, target)"
        )
    if data.problem is not None and type(loss) is not Mean:
        raise InputError(f"{label}: {where(config, 'dataset')} gives the loss itself; loss=auto")
    return cast("Callable[[Any, Tensor], Tensor]", loss)


def criterion_of(config: RunConfig, data: Dataset, device: torch.device) -> Criterion:
    """Return the loss of a run, on its device and in its precision.

    Raises:
        InputError: It cannot be built, does not go with the data, or says that it is a sum.
    """
    label = where(config, "loss")
    loss = on(loss_of(config, data), device, getattr(torch, config.dtype))
    if is_step(target_of(config.loss, label)):
        if data.train.weight is not None:
            raise InputError(f"{label}: weights of examples do not reach a step of your own")
        return StepCriterion(loss, data.target_name)
    try:
        return Criterion(loss, weighted=data.train.weight is not None)
    except InputError as error:
        raise InputError(f"{label}: {error}") from error


def parameters_of(criterion: Criterion) -> dict[str, nn.Parameter]:
    """Return the trainable parameters of a loss by name, ``loss.`` in front."""
    if criterion.module is None:
        return {}
    named = criterion.module.named_parameters()
    return {f"loss.{name}": p for name, p in named if p.requires_grad}


def model_outputs(config: RunConfig, data: Dataset) -> int:
    """Return how many outputs a model should have: as the loss says, else as the data do."""
    if not hasattr(target_of(config.loss, where(config, "loss")), "model_outputs"):
        return data.num_outputs
    own: int | None = loss_of(config, data).model_outputs  # type: ignore[attr-defined]
    return data.num_outputs if own is None else own


def standardizes_targets(config: RunConfig) -> bool:
    """Say whether quantities that are targets are standardised.

    Where nothing is asked for, only if the loss keeps its minimiser when targets are shifted and
    scaled; see `sgdlab.losses.contract`.
    """
    asked: Any = config.standardize.targets
    if asked != "auto":
        return bool(asked)
    return is_scale_free(target_of(config.loss, where(config, "loss")))


def metric_of(config: RunConfig, data: Dataset, loss: Any = None) -> Metric:
    """Return the metric that a run is judged by.

    Args:
        config: The resolved config of the run.
        data: Its data, on the device of the run.
        loss: Its loss, which may say what outputs are; None where only name and direction count.

    Raises:
        InputError: It cannot be built, does not go with the task, or has no direction.
    """
    label = where(config, "metric")
    scale = Scale(data.target_scale, data.target_mean, log=data.task == "counts")
    probabilities = takes_probabilities(loss)
    stepped = is_step(target_of(config.loss, where(config, "loss")))
    offered = {
        "task": "custom" if stepped else data.task,  # a step has no outputs to be judged
        "scale": scale,
        "minimum": 0.0 if data.problem is None else data.problem.optimum,
        "num_outputs": data.num_outputs,
        "threshold": 0.5 if probabilities else 0.0,
        "ignored": ignored_label(loss),
        "token": data.token,
        "token_bytes": data.token_bytes,
    }
    found = call_or_bind(config.metric, label, offered)
    told = config.metric.get("_traits_") or {}
    return as_metric(
        found, config.names.get("metric", "metric"), told.get("direction"), scale, probabilities
    )
