"""Which runs of a sweep can train together."""

import copy
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from sgdlab.config.instantiate import call, where
from sgdlab.config.job import Job
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset, Split
from sgdlab.optimizers.traits import class_name, traits_of
from sgdlab.schedules.base import Schedule, as_schedule
from sgdlab.stacked.losses import StackedLoss, stacked_loss
from sgdlab.stacked.model import StackedModel, refusal
from sgdlab.stacked.rules.base import Rule
from sgdlab.stacked.rules.choose import rule_of
from sgdlab.stacked.run import DecayKind, StackedRun, Tensors, tensors_of
from sgdlab.steps.batches import BatchPlan
from sgdlab.training.build import Run, build_run, dataset_of, device_of, extend_path, model_of
from sgdlab.training.folder import RunFolder
from sgdlab.training.summary import Built, built_of, state_bytes
from sgdlab.training.threads import forward_operations

_ALIKE = (
    "dataset", "split", "model", "loss", "batch_size", "accumulate", "epochs", "max_steps", "eval",
    "device", "dtype", "parametrization", "threads", "checkpoint", "import_from", "stacked",
    "diagnostics",
)  # fmt: skip
"""Root keys that all runs of a stack have in common; the rest are numbers of each run."""

_MODEL = ("dataset", "split", "model", "parametrization", "dtype", "import_from")
_OPTIMIZER = ("optimizer", "decay", "lr_multipliers")


# Seeds whose initial weights are kept for the next trial.
_KEPT = 128


def _text(config: RunConfig, keys: Sequence[str]) -> str:
    plain = config.plain()
    return json.dumps({key: plain[key] for key in keys}, sort_keys=True)


@dataclass(frozen=True)
class _Trained:
    """What the settings of a run come to, whatever its seed and learning rate."""

    rule: Rule
    loss: StackedLoss
    plan: BatchPlan
    total_steps: int
    built: Built
    tensors: list[Tensors]


@dataclass
class Group:
    """Runs that can train together, in any number.

    Attributes:
        jobs: The runs.
        model: The model of one run, on CPU.
        stacked: The model of many runs; stacks take turns with it.
        rule: The update rule of all runs.
        loss: The loss of all runs.
        data: The data on the device of the runs, inputs in the layout of the stacked model.
        plan: How an epoch is cut into updates.
        total_steps: The steps of a run.
    """

    jobs: list[Job]
    model: nn.Module
    stacked: StackedModel
    rule: Rule
    loss: StackedLoss
    data: Dataset
    plan: BatchPlan
    total_steps: int

    @property
    def config(self) -> RunConfig:
        """The config of the first run, for what all have in common."""
        return self.jobs[0].config

    @property
    def averages_every(self) -> int | None:
        """Steps between two rows with running averages; None: there are none."""
        section = self.config.diagnostics
        return section["every"] if section["scalars"] else None


class StackPlanner:
    """Sorts the runs of a sweep, and builds those that can be stacked.

    What runs have in common is built once: the weights of a seed, the optimizer of a setting, a
    schedule.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trained: dict[str, _Trained | str] = {}
        self._models: dict[str, tuple[nn.Module, Dataset]] = {}
        self._schedules: dict[str, Schedule] = {}
        self._scalings: dict[str, Callable[[float, int], float]] = {}
        self._weights: dict[str, Mapping[str, Tensor]] = {}

    def of(self, jobs: Sequence[Job]) -> tuple[list[Group], dict[str, list[Job]]]:
        """Return the groups of runs that can be stacked, and the others by reason."""
        groups: dict[tuple[str, Rule], Group] = {}
        others: dict[str, list[Job]] = {}
        for job in jobs:
            found = _refusal(job.config) or self._trained_of(job)
            if isinstance(found, str):
                others.setdefault(found, []).append(job)
                continue
            key = (_text(job.config, _ALIKE), found.rule)
            if key not in groups:
                groups[key] = self._group(job, found)
            groups[key].jobs.append(job)
        return list(groups.values()), others

    def build(self, job: Job, group: Group) -> tuple[StackedRun, Mapping[str, Tensor]]:
        """Return a run of a group, and its initial weights; threads take turns."""
        with self._lock:  # weights are drawn from torch's one generator
            return self._build_run(job, group)

    def _build_run(self, job: Job, group: Group) -> tuple[StackedRun, Mapping[str, Tensor]]:
        found, config = self._trained_of(job), job.config
        assert isinstance(found, _Trained)
        scaling = _text(config, ("scaling",))
        if scaling not in self._scalings:
            self._scalings[scaling] = call(config.scaling, where(config, "scaling"))
        assert config.lr is not None, "a resolved config has a rate"
        lr = self._scalings[scaling](config.lr, group.plan.effective_batch_size)
        folder = RunFolder(job.directory, job.run_id, "stacked")
        built = replace(found.built, lr=lr)
        run = StackedRun(config, folder, self._schedule(job), found.tensors, built)
        seed = _text(config, (*_MODEL, "seed"))
        if seed not in self._weights:
            _, data = self._models[_text(config, _MODEL)]
            while len(self._weights) >= _KEPT:
                del self._weights[next(iter(self._weights))]
            self._weights[seed] = model_of(config, data).state_dict()
        return run, self._weights[seed]

    def _schedule(self, job: Job) -> Schedule:
        key = _text(job.config, ("schedule",))
        if key not in self._schedules:
            schedule = as_schedule(call(job.config.schedule, where(job.config, "schedule")))
            if schedule.observes:
                return schedule  # it has a state: one for each run
            self._schedules[key] = schedule
        return self._schedules[key]

    def _trained_of(self, job: Job) -> _Trained | str:
        optimizer = {k: v for k, v in job.config.optimizer.items() if k != "lr"}
        alike = replace(job.config, optimizer=optimizer)
        key = _text(alike, (*_OPTIMIZER, *_ALIKE))
        if key not in self._trained:
            self._trained[key] = self._new_trained(job)
        return self._trained[key]

    def _new_trained(self, job: Job) -> _Trained | str:
        config = job.config
        extend_path(config)
        key = _text(job.config, _MODEL)
        if key not in self._models:
            data = dataset_of(config)
            self._models[key] = model_of(config, data), data
        model, data = self._models[key]
        if data.problem is not None:
            return f"dataset={data.name} is a function"
        if reason := refusal(model):
            return reason
        x = data.train.x[:1]
        x = x.to(getattr(torch, config.dtype)) if x.is_floating_point() else x
        if forward_operations(model, x) is None:
            return "its model cannot run"
        run = build_run(config, probe=model, data=data)
        rule = rule_of(run.optimizer)
        if isinstance(rule, str):
            return rule
        loss = stacked_loss(run.objective.loss, data.task == "classification")
        if isinstance(loss, str):
            return loss
        kind = cast(DecayKind, config.decay.mode or run.traits.decay)
        tensors = tensors_of(run.optimizer, rule, kind, list(model.parameters()))
        built = replace(built_of(run), optimizer_state_bytes=_state_bytes(run))
        return _Trained(rule, loss, run.plan, run.total_steps, built, tensors)

    def _group(self, job: Job, found: _Trained) -> Group:
        config = job.config
        model, data = self._models[_text(job.config, _MODEL)]
        data = data.to(device_of(config), getattr(torch, config.dtype))
        stacked = StackedModel(model)
        splits = {
            name: Split(stacked.inputs(split.x), split.y)
            for name, split in (("train", data.train), ("val", data.val), ("test", data.test))
        }
        data = replace(data, **splits)
        return Group(
            [], model, stacked, found.rule, found.loss, data, found.plan, found.total_steps
        )


def _refusal(config: RunConfig) -> str | None:
    """Return what a stack cannot do of what a config asks for."""
    average = config.names.get("average", "none")
    if average != "none":
        return f"average={average}"
    if config.precision != "fp32":
        return f"precision={config.precision}"
    if config.staleness.delay:
        return "staleness.delay"
    if config.local_sgd.workers > 1:
        return "local_sgd.workers"
    if config.diagnostics["quantities"] or config.diagnostics["at_end"]:
        return f"diagnostics={config.names.get('diagnostics', '?')}"
    if not config.zero_grad:
        return "zero_grad=false"
    if not (traits := traits_of(config.optimizer)).stacked or traits.decay is None:
        return f"{class_name(config.optimizer)} has no stacked rule"
    return None


def _state_bytes(run: Run) -> int:
    """Return the size of the optimizer's state once it has made a step."""
    weights = copy.deepcopy(run.model.state_dict())
    for p in run.model.parameters():
        p.grad = torch.zeros_like(p)
    run.optimizer.step()
    run.objective.zero_grad()
    run.model.load_state_dict(weights)
    return state_bytes(list(run.optimizer.state.values()))
