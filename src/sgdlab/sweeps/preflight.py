"""Before a run leaves any file: what would be refused, and what is probably not meant."""

import contextlib
import copy
import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import torch
from omegaconf import OmegaConf
from torch import nn

from sgdlab import signals
from sgdlab.config.catalogue import conf_dir
from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.config.schema import GROUPS, RunConfig
from sgdlab.datasets.base import Dataset, Split
from sgdlab.datasets.rows import UNREAD, moved, take
from sgdlab.errors import InputError, one_line, reason_of
from sgdlab.sweeps.first_step import FirstStep
from sgdlab.sweeps.remarks import remarks
from sgdlab.training import continuation
from sgdlab.training.build import Run, build_run, extend_path, model_of
from sgdlab.training.dataset import dataset_of
from sgdlab.training.device import device_of
from sgdlab.training.exits import Exits
from sgdlab.training.pauses import BUILDING, OverTimeError, timed
from sgdlab.training.surroundings import restored

_PROBE_KEYS = (
    "dataset", "split", "model", "loss", "dtype", "names", "parametrization", "task", "layout",
    "standardize", "weights", "weights_skip", "freeze",
)  # fmt: skip

# What a run is called, and what is drawn from its seed, decides nothing that is checked.
_INERT = (
    "seed", "study", "phase", "trial", "replicate", "contender", "resume", "evaluate_test",
    "checkpoint", "save_final", "stale", "lock", "isolate",
)  # fmt: skip
_KEPT_BYTES = 256 * 2**20


class Checks:
    """Checks the runs of a sweep: each distinct part is built once, whatever the seeds."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[str]] = {}

    def of(self, config: RunConfig) -> list[str]:
        """Return what `check` returns for a config.

        Raises:
            InputError: The run cannot be built.
        """
        inert = _INERT if config.continue_from is None else ()  # its run has a seed, too
        relevant = {key: value for key, value in config.plain().items() if key not in inert}
        key = hashlib.sha256(json.dumps(relevant).encode()).digest()
        if key not in self._known:
            self._known[key] = check(config)
        return self._known[key]


def check(config: RunConfig) -> list[str]:
    """Build a run and drop it: what it would refuse is refused before its folder.

    Its model and its data are stand-ins of the right shapes, which other runs may have, too.

    Returns:
        What is legal and probably not meant, a line each.

    Raises:
        InputError: The run cannot be built.
    """
    try:
        with restored(), _in_time(config, BUILDING):
            _refuse_wrong_types(config)
            extend_path(config)
            device = device_of(config)
            run = build_run(config, *_probe(config))
            if config.continue_from is not None:
                continuation.check(run)
            return [*remarks(run), *_first_step(config, device)]
    except BaseException as error:
        _refuse_unless_memory(error)
        return []  # The run itself ends as failed, with advice; a sweep goes on.


def build_checked(config: RunConfig) -> tuple[Run | None, list[str]]:
    """Build a run to be trained, and return with it what `check` returns; None: memory ran out.

    Raises:
        InputError: The run cannot be built.
    """
    try:
        _refuse_wrong_types(config)
        # What its parts change as they are built stays for the run: it is the only one.
        with Exits(), _in_time(config, BUILDING):
            run = build_run(config)
            with restored():
                if config.continue_from is not None:
                    continuation.check(run)
                warnings = [*remarks(run), *_tried(config, run.model, run.data, run.device)]
    except BaseException as error:
        _refuse_unless_memory(error)
        return None, []
    return run, warnings


def _refuse_unless_memory(error: BaseException) -> None:
    """Raise what was raised, unless memory ran out; what would end the process as a refusal."""
    if is_out_of_memory(error):
        return
    if isinstance(error, Exception) or signals.is_real(error):
        raise error
    raise InputError(f"a part cannot be built: {reason_of(error)}") from error


@contextlib.contextmanager
def _in_time(config: RunConfig, least: float = 0.0) -> Iterator[None]:
    """Refuse a part that hangs before the first step has ended, where time has a limit.

    It may take ``least`` seconds whatever the limit is.

    Raises:
        InputError: It does.
    """
    try:
        with timed(config.limits.seconds, "trying the first step", least):
            yield
    except OverTimeError as error:
        raise InputError(one_line(error)) from error


_STEP_KEYS = (
    "dataset", "split", "model", "loss", "metric", "batch_size", "accumulate", "last_batch",
    "eval", "dtype", "precision", "channels_last", "parametrization", "diagnostics",
    "local_sgd", "staleness", "task", "layout", "standardize", "import_from", "device", "augment",
)  # fmt: skip
_stepped: dict[str, list[str]] = {}


def _first_step(config: RunConfig, device: torch.device) -> list[str]:
    """Return what a first step shows, tried once for runs that differ in numbers alone."""
    plain = config.plain()
    alike = {name: plain[name] for name in _STEP_KEYS}
    alike["optimizer"] = {
        key: value for key, value in config.optimizer.items() if not isinstance(value, float)
    }
    key = json.dumps(alike, sort_keys=True)
    if key not in _stepped:
        _stepped[key] = _tried(config, model_of(config, dataset_of(config)), None, device)
    return _stepped[key]


def _tried(
    config: RunConfig, model: nn.Module, data: Dataset | None, device: torch.device
) -> list[str]:
    """Try a whole step with a copy of a model, and real data.

    What fails only after other calls, and not by itself, is left to the run, which makes fewer.
    """

    def fresh() -> FirstStep:
        copied = copy.deepcopy(model).to(device)
        return FirstStep(build_run(config, copied, data or dataset_of(config), device))

    first, warnings = fresh(), list[str]()
    for number in range(len(first.stages())):
        try:
            with _in_time(config):
                warnings += first.make(number)
        except InputError:
            if number == 0:
                raise
            with _in_time(config):
                fresh().make(number)
            break
    return warnings


_probes: dict[str, tuple[nn.Module, Dataset]] = {}


def _probe(config: RunConfig) -> tuple[nn.Module, Dataset]:
    """Return a model and a dataset of the shapes of a run; kept while they are small together."""
    plain = config.plain()
    key = json.dumps({name: plain[name] for name in _PROBE_KEYS}, sort_keys=True)
    if key not in _probes:
        data = dataset_of(config)
        model = model_of(config, data)
        while (
            _probes and sum(map(_bytes, [model, *(m for m, _ in _probes.values())])) > _KEPT_BYTES
        ):
            del _probes[next(iter(_probes))]
        _probes[key] = model, _hollow(data, getattr(torch, config.dtype))
    return _probes[key]


def _bytes(model: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in model.parameters())


def _hollow(data: Dataset, dtype: torch.dtype) -> Dataset:
    """Return a dataset of the same shapes that holds one example a split: none is looked at."""

    def hollow(split: Split) -> Split:
        weight = None if split.weight is None else _hollowed(split.weight, dtype)
        return Split(_hollowed(split.x, dtype), _hollowed(split.y, dtype), weight)

    return replace(data, train=hollow(data.train), val=hollow(data.val), test=hollow(data.test))


def _hollowed(rows: Any, dtype: torch.dtype) -> Any:
    if isinstance(rows, UNREAD):
        first = moved(take(rows, slice(1)), "cpu", dtype)
        return first.expand(len(rows), *first.shape[1:])
    if not isinstance(rows, torch.Tensor):
        return {name: _hollowed(part, dtype) for name, part in rows.items()}
    return moved(rows[:1].clone(), "cpu", dtype).expand_as(rows)


def _refuse_wrong_types(config: RunConfig) -> None:
    """Refuse a value of another kind than the shipped YAML of the chosen member has there."""
    for group in GROUPS:
        section = getattr(config, group)
        for key, default in _defaults(group, config.names.get(group, "")).items():
            value = section.get(key, default)
            numeric = isinstance(default, float | int) and not isinstance(default, bool)
            is_number = isinstance(value, float | int) and not isinstance(value, bool)
            where = f"{group}.{key}={value}"
            if numeric and value is not None and not is_number:
                raise InputError(f"{where}: expected a number, such as {default}")
            if isinstance(default, bool) and not isinstance(value, bool | None):
                raise InputError(f"{where}: expected true or false")
            if key == "betas":
                wanted = len(cast("list[float]", default))
                if not isinstance(value, list) or len(value) != wanted:
                    raise InputError(f"{where}: expected {wanted} numbers, such as {default}")


@functools.cache
def _defaults(group: str, member: str) -> dict[str, Any]:
    path = conf_dir() / group / f"{member}.yaml"
    if not path.is_file():
        return {}
    return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(path)))
