"""Whether the values of the root keys of a run are possible."""

import re
from collections.abc import Mapping
from operator import attrgetter
from typing import get_args

from sgdlab.checks import (
    bytes_of,
    is_whole,
    lies_in,
    require_flag,
    require_number,
    require_one_of,
    require_whole,
)
from sgdlab.config.distributed import validate_distributed
from sgdlab.config.schema import (
    KEEP,
    PRECISIONS,
    REFUSE,
    RERUN,
    UNITS,
    RunConfig,
)
from sgdlab.datasets.partition import By
from sgdlab.datasets.tasks import TASKS
from sgdlab.errors import InputError
from sgdlab.results.lock import LOCKS

MOST_THREADS = 1024
"""Threads of a run: OpenMP ends a process that asks for more than there is memory for."""


def validate(config: RunConfig) -> None:
    """Refuse impossible values of the root keys.

    Raises:
        InputError: A value is impossible; the line names it and what would be right.
    """
    if config.lr is None:
        raise InputError("lr is not set, and the optimizer's YAML has none: add lr=0.01")
    if not lies_in(config.lr, 0, open_low=True):
        raise InputError(f"lr={config.lr}: must be a positive number, such as 0.01")
    if config.optimizer.get("maximize") is True:
        raise InputError(
            "optimizer.maximize=true: every loss is minimised here, and this climbs it; leave it "
            "out, or let a loss of your own return the negative"
        )
    if config.batch_size != "full":
        _at_least_one(config, "batch_size", "or full")
    for key in ("accumulate", "epochs"):
        require_whole(key, attrgetter(key)(config))
    for key in ("seed", "split.seed"):
        require_whole(key, attrgetter(key)(config), 0)
    for key in ("augment.crop", "augment.cutout"):
        require_whole(key, attrgetter(key)(config), 0, of="of pixels")
    require_number("augment.flip", config.augment.flip, 0, 1)
    require_number("augment.mixup", config.augment.mixup)
    require_whole("eval.every", config.eval.every, of="of epochs")
    require_whole("eval.batch_size", config.eval.batch_size)
    for key in ("max_steps", "threads", "checkpoint.every", "stop.patience"):
        if attrgetter(key)(config) is not None:
            _at_least_one(config, key, "or null")
    if config.threads is not None and config.threads > MOST_THREADS:
        raise InputError(f"threads={config.threads}: must be at most {MOST_THREADS}")
    for key in ("clip_norm", "clip_value", "limits.loss_factor", "limits.seconds"):
        value = attrgetter(key)(config)
        if value is not None and not value > 0:
            raise InputError(f"{key}={value}: must be positive, or null to switch it off")
    if (most := config.limits.memory) is not None:
        bytes_of("limits.memory", most)
    require_one_of("checkpoint.unit", config.checkpoint.unit, UNITS)
    require_one_of("stop.metric", config.stop.metric, ("val_loss", "val_metric", "train_loss"))
    if not lies_in(config.stop.min_delta, 0):
        raise InputError(f"stop.min_delta={config.stop.min_delta}: must be a number from 0")
    require_whole("staleness.delay", config.staleness.delay, 0, of="of updates")
    for key in ("local_sgd.workers", "local_sgd.steps"):
        require_whole(key, attrgetter(key)(config))
    require_whole("local_sgd.start", config.local_sgd.start, 0, of="of steps")
    if config.staleness.delay and config.local_sgd.workers > 1:
        raise InputError("staleness.delay and local_sgd.workers: simulate one at a time")
    validate_distributed(config)
    for key in ("decay.multipliers", "lr_multipliers"):
        value = attrgetter(key)(config)
        if value is not None and not isinstance(value, Mapping):
            raise InputError(f"{key}={value}: must map patterns of names to factors, {{*.bias:2}}")
    _callbacks(config.callbacks)
    for key in ("weights_skip", "freeze"):
        _patterns(config, key)
    if config.weights_skip and config.weights is None:
        raise InputError(f"weights_skip={config.weights_skip}: of no file; set weights=FILE")
    require_one_of("task", config.task, ("auto", *TASKS))
    require_one_of("layout", config.layout, ("auto", "nchw", "nhwc"))
    require_one_of("last_batch", config.last_batch, ("keep", "drop", "merge"))
    require_one_of("split.by", config.split.by, get_args(By))
    require_flag("split.vary", config.split.vary)
    require_flag("isolate", config.isolate)
    require_flag("standardize.inputs", config.standardize.inputs)
    if config.standardize.targets != "auto":
        require_flag("standardize.targets", config.standardize.targets)
    require_one_of("parametrization", config.parametrization, ("standard", "mup"))
    if not re.fullmatch(r"cuda:\d{1,4}", config.device):
        require_one_of("device", config.device, ("auto", "cpu", "cuda"))
    require_one_of("precision", config.precision, PRECISIONS)
    require_flag("channels_last", config.channels_last)
    require_one_of("stale", config.stale, (RERUN, REFUSE, KEEP))
    require_one_of("lock", config.lock, LOCKS)
    require_one_of("engine", config.engine, ("auto", "stacked", "sequential"))
    for key in ("compile", "stacked.compile"):
        value = attrgetter(key)(config)
        if not (isinstance(value, bool) or value == "auto"):
            raise InputError(f"{key}={value}: must be true, false or auto")
    if (room := config.stacked.max_memory) is not None:
        bytes_of("stacked.max_memory", room)
    require_one_of("dtype", config.dtype, ("float32", "float64"))
    if config.dtype == "float64" and config.precision != "fp32":
        what = "TF32 rounds" if config.precision == "tf32" else "autocast needs"
        raise InputError(f"precision={config.precision} with dtype=float64: {what} dtype=float32")


def _at_least_one(config: RunConfig, key: str, otherwise: str) -> None:
    value = attrgetter(key)(config)
    if not is_whole(value):
        raise InputError(f"{key}={value}: must be a whole number from 1, {otherwise}")


def _callbacks(value: object) -> None:
    if not isinstance(value, Mapping):
        raise InputError(f"callbacks={value}: must map names to sections with a _target_")
    for name, part in value.items():
        if not isinstance(part, Mapping) or "_target_" not in part:
            raise InputError(
                f"callbacks.{name}={part}: needs a _target_, +callbacks.{name}._target_=parts.Class"
            )


def _patterns(config: RunConfig, key: str) -> None:
    value = attrgetter(key)(config)
    if not isinstance(value, list) or not all(isinstance(each, str | int) for each in value):
        raise InputError(f"{key}={value}: must be a list of patterns of names, {key}=[layer1.*]")
