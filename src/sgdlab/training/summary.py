"""The row that a run leaves: ``summary.csv``."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import cast

import torch

from sgdlab.config.schema import DDP, SYNC, RunConfig
from sgdlab.optimizers.decay import decay_of
from sgdlab.results import (
    LABEL_COLUMNS,
    OTHER_SETTINGS,
    SUMMARY_COLUMNS,
    Cell,
    as_written,
    other_settings,
)
from sgdlab.training.build import Run
from sgdlab.training.folder import RunFolder
from sgdlab.training.state import Outcome

_TECHNIQUES = (
    "clip_norm", "parametrization", "decay.mode", "decay.bias_and_norm", "decay.multipliers",
    "lr_multipliers", "staleness.delay", "staleness.random", "staleness.correct_lr",
    "local_sgd.workers", "local_sgd.steps",
)  # fmt: skip


@dataclass(frozen=True)
class Built:
    """What is known of a run once it is built; a field of a column's name is what stands there.

    Attributes:
        lr: The learning rate after scaling, before the schedule.
        num_parameters: The number of the model's parameters.
        num_decayed: The number of parameters that weight decay applies to.
        num_frozen: The number of the model's parameters that are not trained.
        averages: Whether an average of the weights is kept.
        findings: What the optimizer found out by itself, such as the switch of SWATS.
        skipped_steps: Steps left out since their gradient overflowed; None but in float16.
    """

    task: str
    metric: str
    metric_direction: str
    batch_size: int
    effective_batch_size: int
    lr: float
    num_parameters: int
    num_decayed: int
    optimizer_state_bytes: int
    averages: bool
    findings: Mapping[str, Cell]
    num_frozen: int = 0
    skipped_steps: int | None = None


def built_of(run: Run) -> Built:
    """Return what is known of a run that the ordinary trainer has built."""
    decayed = [g for g in run.optimizer.param_groups if decay_of(g)]
    found = getattr(run.optimizer, "findings", None)
    scale = run.objective.loss_scale
    return Built(
        task=run.data.task,
        metric=run.metric.name,
        metric_direction=run.metric.direction,
        batch_size=run.plan.batch_size,
        effective_batch_size=run.plan.effective_batch_size,
        lr=run.lr,
        num_parameters=sum(p.numel() for p in run.model.parameters()),
        num_decayed=sum(p.numel() for group in decayed for p in group["params"]),
        optimizer_state_bytes=state_bytes(list(run.optimizer.state.values())),
        averages=run.averager is not None,
        findings=found() if found else {},
        num_frozen=sum(p.numel() for p in run.model.parameters() if not p.requires_grad),
        skipped_steps=None if scale is None else scale.skipped,
    )


def state_bytes(state: object) -> int:
    """Return the size of all tensors in an optimizer's state, those in lists, too."""
    return sum(t.numel() * t.element_size() for t in _tensors(state))


def state_bytes_after_a_step(run: Run) -> int:
    """Return the size of the optimizer's state after a step; the weights stay as they are."""
    weights = copy.deepcopy(run.model.state_dict())
    for p in run.model.parameters():
        p.grad = torch.zeros_like(p)
    run.optimizer.step()
    run.objective.zero_grad()
    run.model.load_state_dict(weights)
    return state_bytes(list(run.optimizer.state.values()))


def _tensors(state: object) -> Iterator[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for value in cast("list[object]", state.values() if isinstance(state, dict) else state):
            yield from _tensors(value)


def summary_of(
    config: RunConfig,
    outcome: Outcome,
    built: Built | None,
    folder: RunFolder,
    memory: int | None = None,
) -> dict[str, Cell]:
    """Return the summary of a run.

    Args:
        config: The resolved config of the run.
        outcome: How the run ended.
        built: What was known once it was built; None for a run that could not be built.
        folder: The folder of the run, which knows the engine: time and memory are those of a run
            that trained alone, and empty for others.
        memory: The peak memory in bytes.
    """
    at = outcome.progress
    seconds = at.train_seconds if at.step and folder.engine == "sequential" else None
    names = config.names
    row: dict[str, Cell] = dict.fromkeys(SUMMARY_COLUMNS) | {
        "run_id": folder.run_id,
        "study": config.study,
        "phase": config.phase,
        "trial": config.trial,
        "status": outcome.status,
        "reason": outcome.reason,
        "engine": folder.engine,
        **{name: names.get(name) for name in ("optimizer", "schedule", "model", "dataset")},
        "accumulate": config.accumulate,
        "scaling": names.get("scaling"),
        "base_lr": config.lr,
        "seed": config.seed,
        "epochs": at.epoch,
        "steps": at.step,
        "examples": at.examples,
        "peak_memory_bytes": memory,
        "train_seconds": seconds,
        "examples_per_second": at.examples / seconds if seconds else None,
        "gradient_evaluations": at.gradient_evaluations,
        "function_evaluations": at.function_evaluations,
        "best_val_loss": at.best_val_loss,
        "best_val_metric": at.best_val_metric,
        "best_val_step": at.best_val_step,
        **{label: getattr(config, label) for label in LABEL_COLUMNS},
        **_settings(config),
    }
    if outcome.has_result:
        row |= {
            "final_train_loss": at.train_loss,
            "final_val_loss": at.val_loss,
            "final_val_metric": at.val_metric,
        }
    if outcome.test is not None:
        row |= {"test_loss": outcome.test.loss, "test_metric": outcome.test.metric}
    if built is not None:
        row |= _of_built(built, outcome)
    row[OTHER_SETTINGS] = other_settings(config.plain(), row)
    return row


def _of_built(built: Built, outcome: Outcome) -> dict[str, Cell]:
    row: dict[str, Cell] = {k: v for k, v in vars(built).items() if k in SUMMARY_COLUMNS}
    if built.num_frozen:
        row["num_frozen"] = built.num_frozen
    if built.skipped_steps is not None:
        row["skipped_steps"] = built.skipped_steps
    if built.averages:
        row |= _average(outcome)
    return row | {f"optimizer.{key}": value for key, value in built.findings.items()}


def _average(outcome: Outcome) -> dict[str, Cell]:
    """Return the results of the averaged weights."""
    at, test = outcome.progress, outcome.average_test
    done = outcome.has_result
    return {
        "average.final_train_loss": at.average_train_loss if done else None,
        "average.final_val_loss": at.average_val_loss if done else None,
        "average.final_val_metric": at.average_val_metric if done else None,
        "average.test_loss": test.loss if test else None,
        "average.test_metric": test.metric if test else None,
    }


def _settings(config: RunConfig) -> dict[str, Cell]:
    """Return the own settings of optimizer, schedule and model, and the techniques, as columns."""
    candidate = config.scaling.get("candidate")
    techniques: dict[str, Cell] = {
        "scaling.candidate": None if candidate is None else float(candidate),
        "average": config.names.get("average"),
        "loss": config.names.get("loss"),
        **{key: attrgetter(key)(config) for key in _TECHNIQUES},
    }
    own = {
        f"{group}.{key}": cast(Cell, value)
        for group in ("optimizer", "schedule", "model")
        for key, value in getattr(config, group).items()
        if not key.startswith("_") and key != "lr"
    }
    if "experiment" in config.names:
        techniques["experiment"] = config.names["experiment"]
    if not config.zero_grad:  # older runs have no such column, and zeroed theirs
        techniques["zero_grad"] = False
    if config.clip_value is not None:  # likewise
        techniques["clip_value"] = config.clip_value
    for key in ("weights", "weights_skip", "freeze"):
        if value := getattr(config, key):
            techniques[key] = as_written(value, key, config.relative_paths)
    if (config.distributed.world_size or 1) > 1:
        for key in ("world_size", "compression", "sync_batchnorm"):
            techniques[f"distributed.{key}"] = getattr(config.distributed, key)
        for key, plain in (("algorithm", SYNC), ("strategy", DDP), ("max_staleness", None)):
            if (value := getattr(config.distributed, key)) != plain:  # older runs lack the column
                techniques[f"distributed.{key}"] = value
    if config.local_sgd.start:  # likewise
        techniques["local_sgd.start"] = config.local_sgd.start
    techniques |= {f"augment.{key}": v for key, v in vars(config.augment).items() if v}
    if config.stop.patience is not None:
        techniques |= {f"stop.{key}": value for key, value in vars(config.stop).items()}
    return own | techniques
