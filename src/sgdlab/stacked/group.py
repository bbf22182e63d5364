"""Which runs of a sweep can train together."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor, nn

from sgdlab.averaging import Average
from sgdlab.config.instantiate import call, where
from sgdlab.config.job import Job
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset
from sgdlab.errors import InputError
from sgdlab.metrics.base import Metric
from sgdlab.schedules.base import Schedule, as_schedule
from sgdlab.stacked import refusals
from sgdlab.stacked.alike import ALIKE, OF_MODEL, OF_OPTIMIZER, text_of
from sgdlab.stacked.choice import averages_refusal, form_of, loss_of
from sgdlab.stacked.form import ModelForm
from sgdlab.stacked.losses import StackedLoss
from sgdlab.stacked.measured import Measured
from sgdlab.stacked.moved import MovedData
from sgdlab.stacked.rules.base import Rule
from sgdlab.stacked.rules.choose import rule_of
from sgdlab.stacked.run import DecayKind, StackedRun, Tensors, tensors_of
from sgdlab.steps.batches import BatchPlan
from sgdlab.training.build import Run, build_run, extend_path, model_of
from sgdlab.training.dataset import dataset_of
from sgdlab.training.device import device_of
from sgdlab.training.folder import RunFolder
from sgdlab.training.limit import constant_loss
from sgdlab.training.steplog import ProgressDisplay
from sgdlab.training.summary import Built, built_of, state_bytes_after_a_step

# Seeds whose initial weights are kept for the next trial.
_KEPT = 128


@dataclass(frozen=True)
class _Trained:
    """What the settings of a run come to, whatever its seed and learning rate."""

    form: type[ModelForm]
    rule: Rule
    loss: StackedLoss
    metric: Metric
    plan: BatchPlan
    total_steps: int
    built: Built
    tensors: list[Tensors]
    constant_loss: float
    average: Average | None


@dataclass
class Group:
    """Runs that can train together, in any number.

    Attributes:
        jobs: The runs.
        model: The model of one run, on CPU.
        stacked: The model of many runs; each stack has a fresh one.
        rule, loss, metric: The update rule, the loss and the metric of all runs.
        data: The data on the device of the runs, inputs in the layout of the stacked model.
        plan, total_steps: How an epoch is cut into updates, and the steps of a run.
        constant_loss: The training loss of a constant prediction, as the ordinary engine has it.
        display: Told of the steps and evaluations of its first run; None: nobody looks.
        lock: Held where modules are built, looked at or traced: torch's tracer and its generator
            serve the whole process.
        average: Which weights are averaged beside the runs; None: none are.
        measured: What steps cost here, where that was asked.
        part_of: The runs of the group that this one is cut from; 0: of none.
    """

    jobs: list[Job]
    model: nn.Module
    stacked: ModelForm
    rule: Rule
    loss: StackedLoss
    metric: Metric
    data: Dataset
    plan: BatchPlan
    total_steps: int
    constant_loss: float
    display: ProgressDisplay | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    average: Average | None = None
    measured: Measured | None = None
    part_of: int = 0

    @property
    def size(self) -> int:
        """The number of runs, those that other workers train, too: it decides how they train."""
        return max(self.part_of, len(self.jobs))

    @property
    def config(self) -> RunConfig:
        """The config of the first run, for what all have in common."""
        return self.jobs[0].config

    @property
    def averages_every(self) -> int | None:
        """Steps between two rows with running averages; None: there are none."""
        return self.config.diagnostics["every"] if self.config.diagnostics["scalars"] else None


class StackPlanner:
    """Sorts the runs of a sweep, and builds those that can be stacked.

    What runs have in common is built once: the weights of a seed, the optimizer of a setting, a
    schedule.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trained: dict[str, _Trained | str] = {}
        self._models: dict[str, tuple[nn.Module, Dataset]] = {}
        self._forms: dict[str, type[ModelForm] | str] = {}
        self._schedules: dict[str, Schedule] = {}
        self._judged: dict[str, str | None] = {}
        self._scalings: dict[str, Callable[[float, int], float]] = {}
        self._weights: dict[str, Mapping[str, Tensor]] = {}
        self._constants: dict[str, float] = {}
        self._moved = MovedData()

    def of(self, jobs: Sequence[Job]) -> tuple[list[Group], dict[str, list[Job]]]:
        """Return the groups of runs that can be stacked, and the others by reason."""
        groups: dict[tuple[str, Rule], Group] = {}
        others: dict[str, list[Job]] = {}
        for job in jobs:
            found = self._found(job)
            if isinstance(found, str):
                others.setdefault(found, []).append(job)
                continue
            key = (text_of(job.config, ALIKE), found.rule)
            if key not in groups:
                groups[key] = self._group(job, found)
            groups[key].jobs.append(job)
        return list(groups.values()), others

    def _found(self, job: Job) -> _Trained | str:
        """Return what a run comes to, or why it is not to be in a stack."""
        found = refusals.of_config(job.config) or self._trained_of(job)
        if isinstance(found, str):
            return found
        # Of ours a seed decides nothing but weights.
        shipped = job.config.model["_target_"].startswith("sgdlab.models.")
        own = None if shipped else self._weights_of(job.config, found.form)
        return own if isinstance(own, str) else self._schedule_refusal(job, found) or found

    def build(self, job: Job, group: Group) -> tuple[StackedRun, Mapping[str, Tensor]]:
        """Return a run of a group, and its initial weights; threads take turns."""
        with self._lock:
            return self._build_run(job, group)

    def _build_run(self, job: Job, group: Group) -> tuple[StackedRun, Mapping[str, Tensor]]:
        found, config = self._trained_of(job), job.config
        assert isinstance(found, _Trained)
        scaling = text_of(config, ("scaling",))
        if scaling not in self._scalings:
            self._scalings[scaling] = call(config.scaling, where(config, "scaling"))
        assert config.lr is not None, "a resolved config has a rate"
        lr = self._scalings[scaling](config.lr, group.plan.effective_batch_size)
        folder = RunFolder(job.directory, job.run_id, "stacked")
        built = replace(found.built, lr=lr)
        run = StackedRun(config, folder, self._schedule(job), found.tensors, built)
        weights = self._weights_of(config, found.form)
        if isinstance(weights, str):
            raise InputError(f"{where(config, 'model')}: {weights}")
        return run, weights

    def _weights_of(self, config: RunConfig, form: type[ModelForm]) -> Mapping[str, Tensor] | str:
        """Return the initial weights of a run, or why its model is not that of other seeds."""
        seed = text_of(config, (*OF_MODEL, "seed"))
        if seed not in self._weights:
            first, data = self._models[text_of(config, OF_MODEL)]
            model = model_of(config, data)
            if reason := form.refusal(model):
                return reason
            if form.signature(model) != form.signature(first):
                return "the layers of the model change with the seed"
            while len(self._weights) >= _KEPT:
                del self._weights[next(iter(self._weights))]
            self._weights[seed] = model.state_dict()
        return self._weights[seed]

    def _schedule(self, job: Job) -> Schedule:
        key = text_of(job.config, ("schedule",))
        if key not in self._schedules:
            schedule = as_schedule(call(job.config.schedule, where(job.config, "schedule")))
            if schedule.observes:
                return schedule  # it has a state: one for each run
            self._schedules[key] = schedule
        return self._schedules[key]

    def _schedule_refusal(self, job: Job, found: _Trained) -> str | None:
        length = found.total_steps, found.plan.steps_per_epoch
        key = f"{text_of(job.config, ('schedule',))}{length}"
        if key not in self._judged:
            self._judged[key] = refusals.of_schedule(job.config, *length)
        return self._judged[key]

    def _trained_of(self, job: Job) -> _Trained | str:
        optimizer = {k: v for k, v in job.config.optimizer.items() if k != "lr"}
        key = text_of(replace(job.config, optimizer=optimizer), (*OF_OPTIMIZER, *ALIKE))
        if key not in self._trained:
            self._trained[key] = self._new_trained(job)
        return self._trained[key]

    def _new_trained(self, job: Job) -> _Trained | str:
        config = job.config
        extend_path(config)
        if (key := text_of(job.config, OF_MODEL)) not in self._models:
            data = dataset_of(config)
            self._models[key] = model, data = model_of(config, data), data
            self._forms[key] = form_of(model, data, getattr(torch, config.dtype))
        model, data = self._models[key]
        if isinstance(form := self._forms[key], str):
            return form
        run = build_run(config, probe=model, data=data)
        rule = refusals.of_optimizer(run) or refusals.of_measures(run) or rule_of(run.optimizer)
        if isinstance(rule, str):
            return rule
        if isinstance(loss := averages_refusal(run, form, rule) or loss_of(run, form), str):
            return loss
        own = "own" if rule.decays else run.traits.decay
        kind = cast(DecayKind, config.decay.mode or own)
        tensors = tensors_of(run.optimizer, rule, kind, list(model.parameters()))
        built = replace(built_of(run), optimizer_state_bytes=state_bytes_after_a_step(run))
        constant, average = self._constant_of(run), run.averager and run.averager.rule
        what = form, rule, loss, run.metric, run.plan, run.total_steps
        return _Trained(*what, built, tensors, constant, average)

    def _constant_of(self, run: Run) -> float:
        key, most = text_of(run.config, (*OF_MODEL, "eval")), run.config.eval.batch_size
        if key not in self._constants:
            loss, train = run.objective.loss, run.data.train
            self._constants[key] = constant_loss(run.model, loss, train, most)
        return self._constants[key]

    def _group(self, job: Job, found: _Trained) -> Group:
        model, data = self._models[text_of(job.config, OF_MODEL)]
        stacked, dtype = found.form(model), getattr(torch, job.config.dtype)
        data = self._moved.of(data, device_of(job.config), dtype, stacked)
        by = found.rule, found.loss, found.metric
        length = found.plan, found.total_steps, found.constant_loss
        return Group([], model, stacked, *by, data, *length, average=found.average, lock=self._lock)
