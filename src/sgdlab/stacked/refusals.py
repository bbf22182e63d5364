"""What no stack reproduces, apart from the model: of a config, its data, optimizer and schedule."""

import sys

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sgdlab.config.instantiate import call, where
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset
from sgdlab.optimizers.traits import class_name, traits_of
from sgdlab.schedules.base import as_schedule
from sgdlab.stacked.structure import names_of
from sgdlab.training.build import Run
from sgdlab.training.threads import forward_operations

# Steps of a schedule that are asked for, at either end of a run.
_ASKED = 8


def of_config(config: RunConfig) -> str | None:
    """Return what a stack cannot do of what a config asks for; None where it can all of it."""
    if not str(config.average.get("_target_")).startswith("sgdlab.averaging."):
        return f"average={config.names.get('average', '?')}"
    if config.precision != "fp32":
        return f"precision={config.precision}"
    if config.channels_last or config.compile is True:
        return "channels_last=true" if config.channels_last else "compile=true"
    if any(vars(config.augment).values()):
        return "augment"
    if config.clip_value is not None:
        return "clip_value"
    if config.last_batch != "keep":
        return f"last_batch={config.last_batch}"
    if config.staleness.delay:
        return "staleness.delay"
    if config.local_sgd.workers > 1:
        return "local_sgd.workers"
    if config.diagnostics["quantities"] or config.diagnostics["at_end"]:
        return f"diagnostics={config.names.get('diagnostics', '?')}"
    if config.isolate or config.callbacks:
        return "callbacks" if config.callbacks else "isolate"
    if not config.zero_grad:
        return "zero_grad=false"
    if config.checkpoint.final or config.continue_from:
        return "continue_from" if config.continue_from else "checkpoint.final"
    if not (traits := traits_of(config.optimizer)).stacked or traits.decay is None:
        return f"{class_name(config.optimizer)} has no stacked rule"
    return None


def of_data(data: Dataset) -> str | None:
    """Return why a stack cannot cut batches from a dataset: only plain tensors are cut as rows."""
    if data.problem is not None:
        return f"dataset={data.name} is a function"
    if not data.in_memory:
        return f"dataset={data.name} gives inputs by name, or unread"
    tensors = [t for split in (data.train, data.val, data.test) for t in split]
    other = next((x for x in (data, *tensors) if type(x) not in (Dataset, Tensor)), None)
    return None if other is None else f"dataset={data.name} is made of {type(other).__name__}"


def of_forward(model: nn.Module, data: Dataset, dtype: torch.dtype) -> str | None:
    """Say whether a model cannot run on an example of its data."""
    x = data.train.x[:1]
    x = x.to(dtype) if x.is_floating_point() else x
    return "its model cannot run" if forward_operations(model, x) is None else None


def of_measures(run: Run) -> str | None:
    """Return which mean of a run has no stacked form: one with weights of the data's own."""
    return None if run.data.train.weight is None else "examples that count differently"


def of_optimizer(run: Run) -> str | None:
    """Return what an optimizer of a known class does beyond that class.

    `sgdlab.stacked.rules.choose.rule_of` asks for the exact class; this, for what was done to the
    object: methods replaced, hooks, other parameters than all.
    """
    optimizer, name = run.optimizer, type(run.optimizer).__name__
    if replaced := sorted(vars(optimizer).keys() & names_of(type(optimizer))):
        return f"{replaced[0]} of {name} is replaced"
    everywhere = vars(sys.modules[Optimizer.__module__]).items()
    if any(hooks for key, hooks in everywhere if key.startswith("_global") and "hooks" in key):
        return "there are hooks on all optimizers"
    expected = {"_optimizer_step_pre_hooks": int(run.config.decay.mode is not None)}  # our own
    hooks = {key: value for key, value in vars(optimizer).items() if "hooks" in key}
    if any(len(value) != expected.get(key, 0) for key, value in hooks.items()):
        return f"{name} has hooks"
    trained = [id(p) for group in optimizer.param_groups for p in group["params"]]
    if sorted(trained) != sorted(id(p) for p in run.model.parameters()):
        return f"{name} does not train all parameters once"
    return None


def of_schedule(config: RunConfig, total_steps: int, steps_per_epoch: int) -> str | None:
    """Return why runs cannot share a schedule; None for a pure function of the step.

    A stack asks for the rates of many steps ahead, and once for all runs: a schedule that counts
    its calls, or draws, would give others.

    Args:
        config: The config of a run.
        total_steps: The steps of the run.
        steps_per_epoch: The steps of an epoch.
    """
    label = where(config, "schedule")
    once, again = (as_schedule(call(config.schedule, label)) for _ in range(2))
    asked = range(total_steps)
    steps = [*asked[:_ASKED], *asked[_ASKED:][-_ASKED:]]
    length = total_steps, steps_per_epoch
    alone = [(once(t, *length), once.momentum(t, *length)) for t in steps]
    momenta = [again.momentum(t, *length) for t in reversed(steps)]
    factors = [again(t, *length) for t in reversed(steps)]
    same = alone == list(zip(reversed(factors), reversed(momenta), strict=True))
    return None if same else f"{label} is no pure function of the step"
