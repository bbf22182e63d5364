"""The same training as `small_problem`'s, by the parts of sgdlab that a run uses."""

import functools
import itertools
from collections.abc import Mapping
from typing import Any

import torch
import yaml
from small_problem import BATCH_SIZE, EXAMPLES, VALIDATION, Record, examples, flat, network
from torch.nn import functional

from sgdlab.averaging import Averager
from sgdlab.config.catalogue import conf_dir
from sgdlab.config.instantiate import call
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Split
from sgdlab.optimizers.traits import traits_of
from sgdlab.results.config_text import config_text
from sgdlab.schedules.base import as_schedule
from sgdlab.steps.batches import BatchPlan
from sgdlab.steps.choose import update_of
from sgdlab.steps.criterion import Criterion
from sgdlab.steps.objective import Objective
from sgdlab.steps.precision import LossScale, half_of
from sgdlab.training.build_optimizer import optimizer_of
from trainer_runs import config_of

GROUPS = ("optimizer", "schedule", "scaling", "average")
EPOCHS = 4
BASE = ("dataset=wine", "model=mlp", f"batch_size={BATCH_SIZE}", f"epochs={EPOCHS}")


def config(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of the config.yaml of a run.

    Args:
        changes: Values by dotted key; ``optimizer=adam`` and the like choose a member first.
    """
    made = _read(_base())
    chosen = {key: value for key, value in changes.items() if key in GROUPS}
    for group, name in chosen.items():
        made[group] = _read((conf_dir() / group / f"{name}.yaml").read_text())
        made["names"][group] = name
    made["dtype"] = "float64"
    for key, value in changes.items():
        if key not in chosen:
            *sections, last = key.split(".")
            functools.reduce(lambda part, name: part[name], sections, made)[last] = value
    if "lr" in changes:
        made["optimizer"]["lr"] = changes["lr"]
    made["lr"] = made["optimizer"]["lr"]
    return _read(config_text(made))


def _read(text: str) -> dict[str, Any]:
    return yaml.load(text, Loader=yaml.CSafeLoader)


@functools.cache
def _base() -> str:
    return config_text(config_of(*BASE).plain())


def train(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Train as `sgdlab.training.loop.fit` does; return what the optimizer did."""
    resolved: Any = RunConfig.of(plain)
    dtype = getattr(torch, resolved.dtype)
    model = network(dtype)
    plan = BatchPlan.of(BATCH_SIZE, resolved.accumulate, EXAMPLES)
    lr = call(resolved.scaling, "scaling")(resolved.lr, plan.effective_batch_size)
    optimizer = optimizer_of(resolved, model, lr)
    record = Record(optimizer, model)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    half = half_of(resolved.precision)
    loss = functional.cross_entropy
    objective = Objective(model, Criterion(loss), parameters, resolved.clip_norm, half)
    if resolved.precision == "fp16":
        objective.loss_scale = LossScale(torch.device("cpu"))
    objective.clip_value = resolved.clip_value
    traits = traits_of(resolved.optimizer).seen_in(optimizer)
    update = update_of(resolved, objective, optimizer, traits, plan)
    schedule = as_schedule(call(resolved.schedule, "schedule"))
    rule = call(resolved.average, "average")
    per_epoch = plan.steps_per_epoch
    total = resolved.max_steps or resolved.epochs * per_epoch
    averager = None if rule is None else Averager(rule, model, total, per_epoch)
    x, y = examples(dtype)
    micro = list(Split(x, y).batches(BATCH_SIZE))
    accumulate = resolved.accumulate
    epoch = [micro[i : i + accumulate] for i in range(0, len(micro), accumulate)]
    losses = iter(VALIDATION)
    for step, batches in zip(range(total), itertools.cycle(epoch), strict=False):
        where = step, total, per_epoch
        update.step(step, batches, lr * schedule(*where), schedule.momentum(*where))
        if averager is not None:
            averager.update(step + 1, update.sync_weights)
        due = (step + 1) % (per_epoch * resolved.eval.every) == 0
        if due and schedule.observes:
            schedule.observe(next(losses))
    content = record.content()
    if averager is not None:
        averaged = averager.model([])
        assert averaged is not None
        content["average"] = flat(averaged)
    if callable(getattr(optimizer, "eval", None)):
        optimizer.eval()  # type: ignore[attr-defined]
        content["average"] = flat(model)
    return content
