"""Closes the open ends of a composed config, and checks its values."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sgdlab.checks import bytes_of, is_whole, lies_in, require_one_of, require_whole
from sgdlab.config.schema import COMPARE_ONLY, GROUPS, CompareConfig, RunConfig
from sgdlab.errors import InputError, suggest
from sgdlab.optimizers.traits import without_known

_LATER: dict[str, Any] = {
    "replicate": None, "contender": None, "zero_grad": True, "lesson": None,
    "diagnostics": {"every": 10, "scalars": False, "quantities": {}, "at_end": {}},
}  # fmt: skip
"""Keys that came after runs had been made, with the value that those runs had."""


def resolve(composed: DictConfig, runtime: Any = None) -> RunConfig:
    """Return the config of a run with every open end closed; the argument is left alone.

    Interpolations are resolved, ``names`` says which member of each group was chosen, ``lr`` and
    ``optimizer.lr`` agree, and ``import_from`` lists the user's ``--config-dir``.

    Args:
        composed: What Hydra composed, with or without its ``hydra`` section.
        runtime: Hydra's ``runtime`` section; by default that of ``composed``.

    Raises:
        InputError: A value is impossible; see `validate`.
    """
    config = RunConfig.of(unchecked(composed, runtime))
    validate(config)
    return config


def unchecked(composed: DictConfig, runtime: Any = None) -> dict[str, Any]:
    """Return what `resolve` returns as a plain container, its values not yet checked.

    Args:
        composed: What Hydra composed, with or without its ``hydra`` section.
        runtime: Hydra's ``runtime`` section; by default that of ``composed``.

    Raises:
        InputError: A root key is one that no run has, or two learning rates disagree.
    """
    own = own_part(composed, runtime)
    OmegaConf.resolve(own)
    plain = cast("dict[str, Any]", OmegaConf.to_container(own))
    plain["optimizer"] = without_known(plain["optimizer"], plain["names"].get("optimizer"))
    _agree_on_lr(plain, OmegaConf.select(composed, "hydra.overrides.task") or [])
    return plain


def own_part(composed: DictConfig, runtime: Any = None) -> DictConfig:
    """Return what of a composed config belongs to the run, interpolations unresolved.

    Args:
        composed: What Hydra composed, with or without its ``hydra`` section.
        runtime: Hydra's ``runtime`` section; by default that of ``composed``.

    Raises:
        InputError: A root key is one that no run has.
    """
    if runtime is None:
        runtime = OmegaConf.select(composed, "hydra.runtime")
    choices: DictConfig | dict[str, str] = runtime.choices if runtime else {}
    is_comparison = OmegaConf.get_type(composed) is CompareConfig
    schema = fields(CompareConfig if is_comparison else RunConfig)
    known = {"hydra", *(section.name for section in schema)}
    for key in map(str, composed):
        if key not in known:
            raise InputError(f"{key}: no such key; {suggest(key, known - {'hydra', 'names'})}")
    keys = [str(key) for key in composed if key != "hydra" and key not in COMPARE_ONLY]
    config = OmegaConf.masked_copy(composed, keys)
    for key, value in _LATER.items():  # the config.yaml of an older run lacks them
        if key not in config or OmegaConf.is_missing(config, key):
            config[key] = value
    names = {group: str(choices[group]) for group in GROUPS if group in choices}
    config.names = {**names, **config.names}
    sources: list[Any] = list(runtime.config_sources) if runtime else []
    own: list[str] = [
        s.path for s in sources if s.provider == "command-line" and _holds_python(s.path)
    ]
    config.import_from = list(dict.fromkeys([*config.import_from, *own]))
    return config


def _holds_python(folder: str) -> bool:
    """Say whether something can be imported from a folder; from a run's folder it cannot."""
    root = Path(folder)
    return any(root.glob("*.py")) or any(root.glob("*/__init__.py"))


def _agree_on_lr(plain: dict[str, Any], overrides: Sequence[str]) -> None:
    lr, optimizer = plain["lr"], plain["optimizer"]
    typed = any(override.lstrip("+").startswith("optimizer.lr=") for override in overrides)
    if typed and lr != optimizer.get("lr"):
        raise InputError(
            f"lr={lr} and optimizer.lr={optimizer.get('lr')} disagree: set only lr, "
            "which counts for any optimizer"
        )
    if lr is not None and "lr" in optimizer:
        optimizer["lr"] = float(lr)


def validate(config: RunConfig) -> None:
    """Refuse impossible values of the root keys.

    Raises:
        InputError: A value is impossible; the line names it and what would be right.
    """
    if config.lr is None:
        raise InputError("lr is not set, and the optimizer's YAML has none: add lr=0.01")
    if not lies_in(config.lr, 0, open_low=True):
        raise InputError(f"lr={config.lr}: must be a positive number, such as 0.01")
    if config.batch_size != "full":
        _at_least_one(config, "batch_size", "or full")
    for key in ("accumulate", "epochs"):
        require_whole(key, attrgetter(key)(config))
    for key in ("seed", "split.seed"):
        require_whole(key, attrgetter(key)(config), 0)
    require_whole("eval.every", config.eval.every, of="epochs")
    require_whole("eval.batch_size", config.eval.batch_size)
    for key in ("max_steps", "threads", "checkpoint.every"):
        if attrgetter(key)(config) is not None:
            _at_least_one(config, key, "or null")
    for key in ("clip_norm", "limits.loss_factor"):
        value = attrgetter(key)(config)
        if value is not None and not value > 0:
            raise InputError(f"{key}={value}: must be positive, or null to switch it off")
    require_whole("staleness.delay", config.staleness.delay, 0, of="updates")
    for key in ("local_sgd.workers", "local_sgd.steps"):
        require_whole(key, attrgetter(key)(config))
    if config.staleness.delay and config.local_sgd.workers > 1:
        raise InputError("staleness.delay and local_sgd.workers: simulate one at a time")
    for key in ("decay.multipliers", "lr_multipliers"):
        value = attrgetter(key)(config)
        if value is not None and not isinstance(value, Mapping):
            raise InputError(f"{key}={value}: must map patterns of names to factors, {{*.bias:2}}")
    require_one_of("parametrization", config.parametrization, ("standard", "mup"))
    if not config.device.startswith("cuda:"):
        require_one_of("device", config.device, ("auto", "cpu", "cuda"))
    require_one_of("precision", config.precision, ("fp32", "bf16"))
    require_one_of("engine", config.engine, ("auto", "stacked", "sequential"))
    compiles = config.stacked.compile
    if not (isinstance(compiles, bool) or compiles == "auto"):
        raise InputError(f"stacked.compile={compiles}: must be true, false or auto")
    if (room := config.stacked.max_memory) is not None:
        bytes_of("stacked.max_memory", room)
    require_one_of("dtype", config.dtype, ("float32", "float64"))
    if config.dtype == "float64" and config.precision == "bf16":
        raise InputError("precision=bf16 with dtype=float64: autocast needs dtype=float32")


def _at_least_one(config: RunConfig, key: str, otherwise: str) -> None:
    value = attrgetter(key)(config)
    if not is_whole(value):
        raise InputError(f"{key}={value}: must be a whole number from 1, {otherwise}")
