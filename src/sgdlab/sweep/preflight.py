"""Before a run leaves any file: what would be refused, and what is probably not meant."""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import nn

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.config.plain import Plain
from sgdlab.datasets.base import Dataset, Split
from sgdlab.errors import InputError
from sgdlab.parametrization import family_of
from sgdlab.schedules.base import Schedule
from sgdlab.steps.base import has_momentum
from sgdlab.training.build import (
    Run,
    build_run,
    dataset_of,
    device_of,
    extend_path,
    model_of,
)  # fmt: skip

_PROBE_KEYS = ("dataset", "split", "model", "dtype", "names", "parametrization")


# What a run is called, and what is drawn from its seed, decides nothing that is checked.
_INERT = (
    "seed",
    "study",
    "phase",
    "trial",
    "replicate",
    "contender",
    "resume",
    "evaluate_test",
    "checkpoint",
)
_KEPT_BYTES = 256 * 2**20


class Checks:
    """Checks the runs of a sweep: each distinct part is built once, whatever the seeds."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[str]] = {}

    def of(self, settled: Mapping[str, Any], config: Callable[[], DictConfig]) -> list[str]:
        """Return what `check` returns for a settled config.

        Args:
            settled: Its plain container.
            config: Gives it as a ``DictConfig``, for those that need it.

        Raises:
            InputError: As `build_run`.
        """
        relevant = {key: value for key, value in settled.items() if key not in _INERT}
        try:
            key = hashlib.sha256(json.dumps(relevant).encode()).digest()
        except (TypeError, ValueError):
            return check(config())
        if key not in self._known:
            try:
                doubts = _checked(cast(DictConfig, Plain(settled)))
            except Exception:  # whatever it is, `check` says it as it does for a single run
                doubts = check(config())
            self._known[key] = doubts
        return self._known[key]


def check(config: DictConfig) -> list[str]:
    """Build a settled config and drop it: what a run would refuse is refused before its folder.

    Returns:
        What is legal and probably not meant, a line each.

    Raises:
        InputError: As `build_run`.
    """
    try:
        return _checked(config)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return []  # The run itself ends as failed, with advice; a sweep goes on.


def _checked(config: DictConfig) -> list[str]:
    _refuse_wrong_types(config)
    extend_path(config)
    device_of(config)
    sections = {name: config[name] for name in _PROBE_KEYS}
    plain = sections if isinstance(config, Plain) else _plain(sections)
    probe, data = _probe(json.dumps(plain, sort_keys=True))
    return _doubts(config, build_run(config, probe, data))


def _plain(sections: dict[str, Any]) -> Any:
    return OmegaConf.to_container(OmegaConf.create(sections))


_probes: dict[str, tuple[nn.Module, Dataset]] = {}


def _probe(key: str) -> tuple[nn.Module, Dataset]:
    """Return the model and the dataset of some sections; kept while they are small together."""
    if key not in _probes:
        config = OmegaConf.create({**json.loads(key), "seed": 0})
        assert isinstance(config, DictConfig)
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
    parts = {
        name: Split(
            *(
                t[:1].clone().to(dtype if t.is_floating_point() else t.dtype).expand_as(t)
                for t in split
            )
        )
        for name, split in (("train", data.train), ("val", data.val), ("test", data.test))
    }
    return replace(data, **parts)


def _refuse_wrong_types(config: DictConfig) -> None:
    """Refuse a value of another kind than the shipped YAML of the chosen member has there."""
    for group, member in config.names.items():
        for key, default in _defaults(group, member).items():
            value = config[group].get(key, default)
            numeric = isinstance(default, float | int) and not isinstance(default, bool)
            is_number = isinstance(value, float | int) and not isinstance(value, bool)
            where = f"{group}.{key}={value}"
            if numeric and value is not None and not is_number:
                raise InputError(f"{where}: expected a number, such as {default}")
            if isinstance(default, bool) and not isinstance(value, bool | None):
                raise InputError(f"{where}: expected true or false")
            if key == "betas":
                wanted = len(cast("list[float]", default))
                if not isinstance(value, ListConfig | list) or len(value) != wanted:
                    raise InputError(f"{where}: expected {wanted} numbers, such as {default}")


@functools.cache
def _defaults(group: str, member: str) -> dict[str, Any]:
    path = conf_dir() / group / f"{member}.yaml"
    if not path.is_file():
        return {}
    return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(path)))


def _doubts(config: DictConfig, built: Run) -> list[str]:
    """Say what is legal and probably not meant."""
    doubts: list[str] = []
    if config.scaling.get("candidates"):
        doubts.append(
            "scaling.candidates counts under -m and in compare only: this run uses the rule alone"
        )
    # A schedule of the user's own need not have a warm-up.
    own = isinstance(built.schedule, Schedule)
    steps = built.schedule.warmup(built.plan.steps_per_epoch) if own else 0
    if steps >= built.total_steps:
        doubts.append(
            f"the warm-up of {steps} steps does not end within the run's {built.total_steps}: "
            "lr never reaches its base value; set schedule.warmup_epochs=0"
        )
    if (
        config.scaling._target_.endswith("scaling.Linear")
        and _is_adaptive(built.optimizer)
        and built.lr != built.base_lr
    ):
        doubts.append(
            "scaling=linear with an adaptive optimizer overshoots as the batch grows; "
            "its rule is scaling=sqrt"
        )
    length = built.total_steps, built.plan.steps_per_epoch
    # From the end: an average takes in late weights, and a run may have millions of steps.
    from_the_end = range(length[0], 0, -1)
    if built.average and not any(built.average.due(t, *length) for t in from_the_end):
        doubts.append(
            f"average={config.names.get('average')} takes in no weights of these {length[0]} steps:"
            " lower average.start or average.every, or train longer"
        )
    name, schedule = config.names.get("optimizer"), config.names.get("schedule")
    moves = own and built.schedule.momentum(0, built.total_steps, 1) is not None
    if moves and not has_momentum(built.optimizer):
        doubts.append(
            f"schedule={schedule} moves the momentum, too, and optimizer={name} has none: "
            "only lr is scheduled"
        )
    if callable(getattr(built.optimizer, "eval", None)) and _decays(built):
        doubts.append(
            f"optimizer={name} replaces the decay of the learning rate by an average: "
            "use schedule=constant"
        )
    return doubts


def _is_adaptive(optimizer: torch.optim.Optimizer) -> bool:
    try:
        return family_of(type(optimizer)) == "adam"
    except InputError:
        return False


def _decays(built: Run) -> bool:
    total, per_epoch = built.total_steps, built.plan.steps_per_epoch
    return built.schedule(total, total, per_epoch) < 0.5
