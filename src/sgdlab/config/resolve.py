"""Closes the open ends of a composed config, and checks its values."""

import functools
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sgdlab.checks import bytes_of, lies_in
from sgdlab.config.schema import COMPARE_ONLY, GROUPS, CompareConfig, TrainConfig
from sgdlab.errors import InputError, suggest

_LATER: dict[str, Any] = {
    "replicate": None, "contender": None, "zero_grad": True, "lesson": None,
    "diagnostics": {"every": 10, "scalars": False, "quantities": {}, "at_end": {}},
}  # fmt: skip
"""Keys that came after runs had been made, with the value that those runs had."""


def settle(composed: DictConfig, runtime: Any = None) -> DictConfig:
    """Return the config of a run with every open end closed; the argument is left alone.

    Interpolations are resolved, ``names`` says which member of each group was chosen, ``lr`` and
    ``optimizer.lr`` agree, and ``import_from`` lists the user's ``--config-dir``.

    Args:
        composed: As Hydra composed it, with or without its ``hydra`` section.
        runtime: Hydra's ``runtime`` section; by default that of ``composed``.

    Raises:
        InputError: A value is impossible; see `validate`.
    """
    config = own_part(composed, runtime)
    OmegaConf.resolve(config)
    _agree_on_lr(config, OmegaConf.select(composed, "hydra.overrides.task") or [])
    validate(config)
    return config


def own_part(composed: DictConfig, runtime: Any = None) -> DictConfig:
    """Return what of a composed config belongs to the run, interpolations unresolved.

    Args:
        composed: As `settle`.
        runtime: As `settle`.

    Raises:
        InputError: A root key that no run has.
    """
    if runtime is None:
        runtime = OmegaConf.select(composed, "hydra.runtime")
    choices: DictConfig | dict[str, str] = runtime.choices if runtime else {}
    is_comparison = OmegaConf.get_type(composed) is CompareConfig
    schema = fields(CompareConfig if is_comparison else TrainConfig)
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


def _agree_on_lr(config: DictConfig, overrides: list[str]) -> None:
    inner = config.optimizer.get("lr")
    typed = any(override.lstrip("+").startswith("optimizer.lr=") for override in overrides)
    if typed and config.lr != inner:
        raise InputError(
            f"lr={config.lr} and optimizer.lr={inner} disagree: set only lr, "
            "which counts for any optimizer"
        )
    if config.lr is not None and "lr" in config.optimizer:
        config.optimizer.lr = float(config.lr)


def validate(config: Mapping[str, Any]) -> None:
    """Refuse impossible values of the root keys.

    Args:
        config: Settled; a ``DictConfig`` or its plain container.

    Raises:
        InputError: Names the key, its value and what would be right.
    """
    if config["lr"] is None:
        raise InputError("lr is not set, and the optimizer's YAML has none: add lr=0.01")
    if not lies_in(config["lr"], 0, open_low=True):
        raise InputError(f"lr={config['lr']}: must be a positive number, such as 0.01")
    if config["batch_size"] != "full":
        _at_least(config, "batch_size", 1, "a whole number from 1, or full")
    _at_least(config, "accumulate", 1, "a whole number from 1")
    _at_least(config, "epochs", 1, "a whole number from 1")
    _at_least(config, "seed", 0, "a whole number from 0")
    _at_least(config, "split.seed", 0, "a whole number from 0")
    _at_least(config, "eval.every", 1, "a whole number of epochs from 1")
    _at_least(config, "eval.batch_size", 1, "a whole number from 1")
    for key in ("max_steps", "threads", "checkpoint.every"):
        if _select(config, key) is not None:
            _at_least(config, key, 1, "a whole number from 1, or null")
    for key in ("clip_norm", "limits.loss_factor"):
        value = _select(config, key)
        if value is not None and not value > 0:
            raise InputError(f"{key}={value}: must be positive, or null to switch it off")
    _at_least(config, "staleness.delay", 0, "a whole number of updates from 0")
    for key in ("local_sgd.workers", "local_sgd.steps"):
        _at_least(config, key, 1, "a whole number from 1")
    if config["staleness"]["delay"] and config["local_sgd"]["workers"] > 1:
        raise InputError("staleness.delay and local_sgd.workers: simulate one at a time")
    for key in ("decay.multipliers", "lr_multipliers"):
        value = _select(config, key)
        if value is not None and not isinstance(value, Mapping):
            raise InputError(f"{key}={value}: must map patterns of names to factors, {{*.bias:2}}")
    _one_of(config, "parametrization", ("standard", "mup"))
    _one_of(config, "device", ("auto", "cpu", "cuda"))
    _one_of(config, "precision", ("fp32", "bf16"))
    _one_of(config, "engine", ("auto", "stacked", "sequential"))
    compiles = config["stacked"]["compile"]
    if not (isinstance(compiles, bool) or compiles == "auto"):
        raise InputError(f"stacked.compile={compiles}: must be true, false or auto")
    if (room := config["stacked"]["max_memory"]) is not None:
        bytes_of("stacked.max_memory", room)
    _one_of(config, "dtype", ("float32", "float64"))
    if config["dtype"] == "float64" and config["precision"] == "bf16":
        raise InputError("precision=bf16 with dtype=float64: autocast needs dtype=float32")


def _select(config: Mapping[str, Any], key: str) -> Any:
    if isinstance(config, DictConfig):
        return OmegaConf.select(config, key)
    return functools.reduce(lambda section, part: section[part], key.split("."), config)


def _at_least(config: Mapping[str, Any], key: str, low: int, right: str) -> None:
    value = _select(config, key)
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise InputError(f"{key}={value}: must be {right}")


def _one_of(config: Mapping[str, Any], key: str, valid: tuple[str, ...]) -> None:
    value = str(config[key])
    if value not in valid and not (key == "device" and value.startswith("cuda:")):
        raise InputError(f"{key}={value}: {suggest(value, valid)}")
