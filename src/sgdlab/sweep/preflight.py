"""Before a run leaves any file: what would be refused, and what is probably not meant."""

import functools
import hashlib
import json
from dataclasses import replace
from typing import Any, cast

import torch
from omegaconf import OmegaConf
from torch import nn

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.instantiate import call, is_out_of_memory, where
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset, Split
from sgdlab.errors import InputError
from sgdlab.scaling import Linear
from sgdlab.steps.base import has_momentum
from sgdlab.training.build import Run, build_run, dataset_of, device_of, extend_path, model_of

_PROBE_KEYS = ("dataset", "split", "model", "dtype", "names", "parametrization")

# What a run is called, and what is drawn from its seed, decides nothing that is checked.
_INERT = (
    "seed", "study", "phase", "trial", "replicate", "contender", "resume", "evaluate_test",
    "checkpoint",
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
        relevant = {key: value for key, value in config.plain().items() if key not in _INERT}
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
        _refuse_wrong_types(config)
        extend_path(config)
        device_of(config)
        return _warnings(build_run(config, *_probe(config)))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return []  # The run itself ends as failed, with advice; a sweep goes on.


def build_checked(config: RunConfig) -> tuple[Run | None, list[str]]:
    """Build a run to be trained, and return with it what `check` returns; None: memory ran out.

    Raises:
        InputError: The run cannot be built.
    """
    try:
        _refuse_wrong_types(config)
        run = build_run(config)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None, []
    return run, _warnings(run)


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
        firsts = [t[:1].clone().to(dtype if t.is_floating_point() else t.dtype) for t in split]
        return Split(*(first.expand_as(t) for first, t in zip(firsts, split, strict=True)))

    return replace(data, train=hollow(data.train), val=hollow(data.val), test=hollow(data.test))


def _refuse_wrong_types(config: RunConfig) -> None:
    """Refuse a value of another kind than the shipped YAML of the chosen member has there."""
    for group, member in config.names.items():
        section = getattr(config, group)
        for key, default in _defaults(group, member).items():
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


def _warnings(built: Run) -> list[str]:
    """Say what is legal and probably not meant."""
    config = built.config
    warnings: list[str] = []
    if config.scaling.get("candidates"):
        warnings.append(
            "scaling.candidates counts under -m and in compare only: this run uses the rule alone"
        )
    steps = built.schedule.warmup(built.plan.steps_per_epoch)
    if steps >= built.total_steps:
        warnings.append(
            f"the warm-up of {steps} steps does not end within the run's {built.total_steps}: "
            "lr never reaches its base value; set schedule.warmup_epochs=0"
        )
    if (
        built.traits.adaptive
        and not built.traits.layerwise
        and isinstance(call(config.scaling, where(config, "scaling")), Linear)
        and built.lr != config.lr
    ):
        warnings.append(
            "scaling=linear with an adaptive optimizer overshoots as the batch grows; "
            "its rule is scaling=sqrt"
        )
    length = built.total_steps, built.plan.steps_per_epoch
    # From the end: an average takes in late weights, and a run may have millions of steps.
    from_the_end = range(length[0], 0, -1)
    if built.averager and not any(built.averager.rule.due(t, *length) for t in from_the_end):
        warnings.append(
            f"average={config.names.get('average')} takes in no weights of these {length[0]} steps:"
            " lower average.start or average.every, or train longer"
        )
    name, schedule = config.names.get("optimizer"), config.names.get("schedule")
    moves = built.schedule.momentum(0, built.total_steps, 1) is not None
    if moves and not has_momentum(built.optimizer):
        warnings.append(
            f"schedule={schedule} moves the momentum, too, and optimizer={name} has none: "
            "only lr is scheduled"
        )
    if built.traits.averages_itself and _decays(built):
        warnings.append(
            f"optimizer={name} replaces the decay of the learning rate by an average: "
            "use schedule=constant"
        )
    return warnings


def _decays(built: Run) -> bool:
    total, per_epoch = built.total_steps, built.plan.steps_per_epoch
    return built.schedule(total, total, per_epoch) < 0.5
