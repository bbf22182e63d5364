"""From a resolved config to the objects of a run."""

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from sgdlab.averaging import Averager
from sgdlab.config.instantiate import call, where
from sgdlab.config.run_id import device_kind
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset
from sgdlab.datasets.split import prepare
from sgdlab.diagnostics.section import Diagnostics
from sgdlab.errors import InputError
from sgdlab.losses.mean import Mean
from sgdlab.optimizers.traits import Traits, traits_of
from sgdlab.schedules.base import Schedule, as_schedule
from sgdlab.steps.base import Update
from sgdlab.steps.batches import BatchPlan, stream_seed
from sgdlab.steps.choose import update_of
from sgdlab.steps.objective import Objective
from sgdlab.training.build_diagnostics import diagnostics_of
from sgdlab.training.build_optimizer import optimizer_of

_PROBLEM = "sgdlab.models.problem.Problem"


@dataclass
class Run:
    """All that the training loop of one run needs.

    Attributes:
        config: The resolved config.
        objective: What is minimised: the model, its loss, clipping.
        optimizer: The optimizer of the model's trainable parameters.
        traits: What is known of the optimizer.
        update: The kind of update, which makes one step.
        schedule: Gives the factor on the learning rate, by step.
        averager: Keeps the average of the iterates, if there is one.
        data: The data, on the device of the run.
        plan: How an epoch is cut into updates.
        lr: The learning rate after scaling, before the schedule.
        total_steps: The updates from start to end.
        device: The device that the run trains on.
        diagnostics: What is measured on the way and at the end.
    """

    config: RunConfig
    objective: Objective
    optimizer: Optimizer
    traits: Traits
    update: Update
    schedule: Schedule
    averager: Averager | None
    data: Dataset
    plan: BatchPlan
    lr: float
    total_steps: int
    device: torch.device
    diagnostics: Diagnostics

    @property
    def model(self) -> nn.Module:
        """The model that is trained."""
        return self.objective.model


def device_of(config: RunConfig) -> torch.device:
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


def dataset_of(config: RunConfig) -> Dataset:
    """Return the dataset of a config, split and standardised; kept for the runs that follow."""
    return _dataset(
        json.dumps(config.dataset, sort_keys=True),
        config.names.get("dataset", "dataset"),
        config.split.seed,
        config.split.val,
        config.split.test,
    )


@functools.lru_cache(maxsize=4)
def _dataset(section: str, name: str, seed: int, val: float, test: float) -> Dataset:
    loaded = call(json.loads(section), f"dataset={name}")
    return prepare(loaded, name=name, seed=seed, val=val, test=test)


def model_of(config: RunConfig, data: Dataset) -> nn.Module:
    """Return the model of a config at its initial weights, on CPU.

    ``input_shape`` and ``num_outputs`` come from the dataset and are passed to constructors that
    take them. The stream ``init`` of the seed decides the weights, the same on every device.
    """
    offered = {
        "input_shape": data.input_shape,
        "num_outputs": data.num_outputs,
        "problem": data.problem,
        "parametrization": config.parametrization,
    }
    label = where(config, "model")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "init"))
        model = call(config.model, label, offered)
        if not isinstance(model, nn.Module):
            raise InputError(f"{label}: {config.model['_target_']} gives no torch.nn.Module")
        if data.problem is not None and config.model["_target_"] != _PROBLEM:
            raise InputError(f"{label}: {where(config, 'dataset')} is a function: model=problem")
        if any(is_lazy(p) for p in model.parameters()):
            with torch.no_grad():  # lazy layers get their shapes from the data, now and by `init`
                model.eval()(data.train.x[:2])
            model.train()
    return model.to(getattr(torch, config.dtype))


def plan_of(config: RunConfig, data: Dataset) -> BatchPlan:
    """Return how an epoch of a config is cut into updates."""
    workers = config.local_sgd.workers
    return BatchPlan.of(config.batch_size, config.accumulate, len(data.train.y), workers)


def total_steps(config: RunConfig, plan: BatchPlan) -> int:
    """Return how many updates a config asks for: ``max_steps``, else ``epochs`` in updates."""
    return config.max_steps or config.epochs * plan.steps_per_epoch


def build_run(
    config: RunConfig, probe: nn.Module | None = None, data: Dataset | None = None
) -> Run:
    """Build the run of a config.

    Args:
        config: The resolved config of the run.
        probe: A model to use instead of a new one, on CPU, when nothing will be trained.
        data: A dataset to use instead of the config's.

    Raises:
        InputError: A part cannot be built from its settings; one line says which and why.
    """
    extend_path(config)
    device = torch.device("cpu") if probe is not None else device_of(config)
    data = data or dataset_of(config)
    plan = plan_of(config, data)
    lr = call(config.scaling, where(config, "scaling"))(config.lr, plan.effective_batch_size)
    model = probe if probe is not None else model_of(config, data).to(device)
    optimizer = optimizer_of(config, model, lr)
    traits = traits_of(config.optimizer).seen_in(optimizer)
    objective = Objective(
        model=model,
        loss=_loss_of(config, data),
        parameters=[p for group in optimizer.param_groups for p in group["params"]],
        clip_norm=config.clip_norm,
        bf16=config.precision == "bf16",
    )
    steps, rule = total_steps(config, plan), call(config.average, where(config, "average"))
    on_device = data.to(device, getattr(torch, config.dtype))
    return Run(
        config=config,
        objective=objective,
        optimizer=optimizer,
        traits=traits,
        update=update_of(config, objective, optimizer, traits, plan),
        schedule=as_schedule(call(config.schedule, where(config, "schedule"))),
        averager=rule and Averager(rule, model, steps, plan.steps_per_epoch),
        data=on_device,
        plan=plan,
        lr=lr,
        total_steps=steps,
        device=device,
        diagnostics=diagnostics_of(config, objective, optimizer, traits, on_device, plan),
    )


def _loss_of(config: RunConfig, data: Dataset) -> Callable[[Tensor, Tensor], Tensor]:
    loss = call(config.loss, where(config, "loss"), {"task": data.task})
    if data.problem is not None and not isinstance(loss, Mean):
        name = where(config, "dataset")
        raise InputError(f"{where(config, 'loss')}: {name} gives the loss itself; loss=auto")
    return loss


def extend_path(config: RunConfig) -> None:
    """Make a user's own Python files importable; in the worker of a launcher, too."""
    for folder in (*config.import_from, str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)
