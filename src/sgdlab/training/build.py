"""From a resolved config to the objects of a run."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.optim import Optimizer

from sgdlab.augmentation.augment import Augmentation, augmentation_of
from sgdlab.averaging import Averager
from sgdlab.config.half_life import require_tokens
from sgdlab.config.instantiate import call, where
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset, Split
from sgdlab.datasets.rows import moved
from sgdlab.diagnostics.section import Diagnostics
from sgdlab.errors import InputError
from sgdlab.metrics.base import Metric
from sgdlab.optimizers.traits import Traits, traits_of
from sgdlab.schedules.base import Schedule, as_schedule
from sgdlab.steps.base import MicroBatches, Update
from sgdlab.steps.batches import BatchPlan, stream_seed
from sgdlab.steps.choose import update_of
from sgdlab.steps.objective import Objective
from sgdlab.steps.precision import LossScale, half_of
from sgdlab.steps.ranks import Ranks
from sgdlab.steps.streams import seeded
from sgdlab.training.build_diagnostics import diagnostics_of
from sgdlab.training.build_loss import criterion_of, metric_of, model_outputs, parameters_of
from sgdlab.training.build_optimizer import optimizer_of
from sgdlab.training.callbacks import Callbacks
from sgdlab.training.dataset import dataset_of, vocabulary_of
from sgdlab.training.device import device_of
from sgdlab.training.freezing import freeze
from sgdlab.training.length import plan_of, total_steps
from sgdlab.training.model import cast_to, complete, default_to, to_channels_last
from sgdlab.training.room import RoomForWeights
from sgdlab.training.weights import load_weights

if TYPE_CHECKING:  # it imports all of torch's DTensor
    from sgdlab.steps.sharded import Shards

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
        metric: What the run is judged by.
        plan: How an epoch is cut into updates.
        lr: The learning rate after scaling, before the schedule.
        total_steps: The updates from start to end.
        device: The device that the run trains on.
        diagnostics: What is measured on the way and at the end.
        augmentation: How training batches are changed at random; None: they are not.
        callbacks: The user's own.
        ranks: The processes that train it together; None: this one alone.
        shards: The model in parts over the processes, where it is; None: each has all of it.
        undrawn: Where the random generators stood before it began.
    """

    config: RunConfig
    objective: Objective
    optimizer: Optimizer
    traits: Traits
    update: Update
    schedule: Schedule
    averager: Averager | None
    data: Dataset
    metric: Metric
    plan: BatchPlan
    lr: float
    total_steps: int
    device: torch.device
    diagnostics: Diagnostics
    augmentation: Augmentation | None = None
    callbacks: Callbacks = field(default_factory=Callbacks)
    ranks: Ranks | None = None
    shards: "Shards | None" = None
    undrawn: str | None = None

    def updates(self, epoch: int, skip: int = 0) -> Iterator[MicroBatches]:
        """Yield what every update of an epoch trains on; see `BatchPlan.epoch`."""
        train, seed = self.data.train, self.config.seed
        return self.plan.epoch(train, seed, epoch, skip, self.augmentation)

    def examples_of(self, step: int, batches: MicroBatches) -> int:
        """Return how many examples an update has, those of other processes included."""
        if self.ranks is None:
            return sum(len(batch.y) for batch in batches)
        if not self.ranks.lockstep:
            return self.ranks.examples
        return sum(self.plan.micro_sizes(step % self.plan.steps_per_epoch))

    def whole(self, step: int, batches: MicroBatches) -> MicroBatches:
        """Return the micro-batches of an update with the parts of all processes.

        Args:
            step: The number of updates made before it.
            batches: The part of this process.
        """
        if self.ranks is None:
            return batches
        epoch, done = divmod(step, self.plan.steps_per_epoch)
        plan, train = self.plan.as_one(), self.data.train
        return next(plan.epoch(train, self.config.seed, epoch, done, self.augmentation))

    def batches_of(self, index: int) -> MicroBatches:
        """Return the micro-batches of an update of the run, counted from 0; no others are read."""
        epoch, update = divmod(index, self.plan.steps_per_epoch)
        train, seed = self.data.train, self.config.seed
        return self.plan.one(train, seed, epoch, update, self.augmentation)

    def changed(self, batch: Split) -> Split:
        """Return a batch as the first update would see it."""
        return batch if self.augmentation is None else self.augmentation(0, batch)

    @property
    def model(self) -> nn.Module:
        """The model that is trained; of one in parts the whole, as it was last shown."""
        return self.objective.model if self.shards is None else self.shards.whole


def model_of(config: RunConfig, data: Dataset) -> nn.Module:
    """Return the model of a config at the weights that it starts from, on CPU.

    ``input_shape`` and ``num_outputs`` come from the dataset and are passed to constructors that
    take them. The stream ``init`` of the seed decides the weights, the same on every device;
    those of the file ``weights`` take their place, and ``freeze`` says which of them stay.
    """
    offered = {
        "input_shape": data.input_shape,
        "num_outputs": model_outputs(config, data),
        "problem": data.problem,
        "parametrization": config.parametrization,
        "data_task": data.task,
        "data_vocabulary": vocabulary_of(data),
    }
    label = where(config, "model")
    with seeded(stream_seed(config.seed, "init"), devices=[]):
        with RoomForWeights(label):
            model = call(config.model, label, offered)
        if not isinstance(model, nn.Module):
            raise InputError(f"{label}: {config.model['_target_']} gives no torch.nn.Module")
        if data.problem is not None and config.model["_target_"] != _PROBLEM:
            raise InputError(f"{label}: {where(config, 'dataset')} is a function: model=problem")
        complete(model, data.train.take(slice(2)).x)  # now, and by `init`
    model = cast_to(model, getattr(torch, config.dtype))
    default_to(model, getattr(torch, config.dtype))
    if config.weights is not None:
        load_weights(model, config.weights, config.weights_skip)
    freeze(model, config.freeze)
    return model


def build_run(
    config: RunConfig,
    probe: nn.Module | None = None,
    data: Dataset | None = None,
    device: torch.device | None = None,
) -> Run:
    """Build the run of a config.

    Args:
        config: The resolved config of the run.
        probe: A model to use instead of a new one, when nothing will be trained.
        data: A dataset to use instead of the config's.
        device: Where the probe is; by default on CPU.

    Raises:
        InputError: A part cannot be built from its settings; one line says which and why.
    """
    extend_path(config)
    with seeded(stream_seed(config.seed, "parts"), devices=[]):
        return _build(config, probe, data, device)


def _build(
    config: RunConfig, probe: nn.Module | None, data: Dataset | None, device: torch.device | None
) -> Run:
    if device is None:
        device = torch.device("cpu") if probe is not None else device_of(config)
    data = data or dataset_of(config)
    if config.half_life_tokens is not None:
        require_tokens(config.dataset, data.train.y[0].numel() if data.task == "language" else 1)
    plan = plan_of(config, data)
    lr = call(config.scaling, where(config, "scaling"))(config.lr, plan.effective_batch_size)
    model = probe if probe is not None else model_of(config, data).to(device)
    if config.channels_last:
        to_channels_last(model, data.input_shape, where(config, "model"))
    criterion = criterion_of(config, data, device)
    first = moved(data.train.take(slice(1)).x, device, getattr(torch, config.dtype))
    optimizer = optimizer_of(config, model, lr, parameters_of(criterion), first)
    traits = traits_of(config.optimizer).seen_in(optimizer)
    objective = Objective(
        model=model,
        loss=criterion,
        parameters=[p for group in optimizer.param_groups for p in group["params"]],
        clip_norm=config.clip_norm,
        half=half_of(config.precision),
        clip_value=config.clip_value,
        loss_scale=LossScale(device) if config.precision == "fp16" else None,
    )
    steps, rule = total_steps(config, plan), call(config.average, where(config, "average"))
    on_device = data.to(device, getattr(torch, config.dtype), config.channels_last)
    metric = metric_of(config, on_device, criterion.loss)
    diagnostics = diagnostics_of(config, objective, optimizer, traits, on_device, plan)
    return Run(
        config=config,
        objective=objective,
        optimizer=optimizer,
        traits=traits,
        update=update_of(config, objective, optimizer, traits, plan),
        schedule=as_schedule(call(config.schedule, where(config, "schedule"))),
        averager=rule and Averager(rule, model, steps, plan.steps_per_epoch),
        data=on_device,
        metric=metric,
        plan=plan,
        lr=lr,
        total_steps=steps,
        device=device,
        diagnostics=diagnostics,
        augmentation=augmentation_of(config.augment, config.seed, data, criterion.loss),
        callbacks=Callbacks(config.callbacks, (*diagnostics.columns, metric.name)),
    )


def extend_path(config: RunConfig) -> None:
    """Make a user's own Python files importable; in the worker of a launcher, too."""
    for folder in (*config.import_from, os.getcwd()):
        if folder not in sys.path:
            sys.path.append(folder)
