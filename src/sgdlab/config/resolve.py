"""Closes the open ends of a composed config."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast, get_type_hints

from omegaconf import DictConfig, OmegaConf

from sgdlab.config.half_life import set_beta2
from sgdlab.config.interpolation import keys_of, refuse_missing, resolve_all
from sgdlab.config.keys import refuse_unread
from sgdlab.config.mistyped import keys_meant
from sgdlab.config.paths import own_folders, resolve_paths, typed_of
from sgdlab.config.schema import (
    COMPARE_ONLY,
    GROUPS,
    NAMED,
    RERUN,
    SECTIONS,
    WATCHING,
    CompareConfig,
    RunConfig,
)
from sgdlab.config.torchrun import world_size_of
from sgdlab.config.validate import validate
from sgdlab.errors import InputError, suggest
from sgdlab.optimizers.traits import without_known
from sgdlab.results import LATER
from sgdlab.results.lock import AUTO

_LATER: dict[str, Any] = LATER | {
    "replicate": None, "contender": None, "lesson": None,
    "save_final": False, "stale": RERUN, "continue_from": None, "checkpoint.final": False,
    "checkpoint.unit": "steps", "limits.seconds": None, "limits.memory": None,
    "diagnostics": {"every": 10, "scalars": False, "quantities": {}, "at_end": {}},
    "relative_paths": {}, "lock": AUTO, "isolate": False, "compile": "auto",
}  # fmt: skip
"""Keys that came after runs had been made, with the value that those runs had."""

_FILLED = ("names", "relative_paths")
"""Keys that sgdlab fills, which nobody can have meant."""


def resolve(composed: DictConfig, runtime: Any = None) -> RunConfig:
    """Return the config of a run with every open end closed; the argument is left alone.

    Interpolations are resolved, ``names`` says which member of each group was chosen, ``lr`` and
    ``optimizer.lr`` agree, and ``import_from`` lists the user's ``--config-dir``.

    Args:
        composed: What Hydra composed, with or without its ``hydra`` section.
        runtime: Hydra's ``runtime`` section; by default that of ``composed``.

    Raises:
        InputError: A value is impossible; see `sgdlab.config.validate`.
    """
    config = RunConfig.of(unchecked(composed, runtime))
    validate(config)
    return config


def run_config_of(plain: Mapping[str, Any]) -> RunConfig:
    """Return the config of a run from its ``config.yaml``; keys that came later are filled in."""
    filled: dict[str, Any] = copy.deepcopy(dict(plain))
    for key, value in _LATER.items():
        section, _, leaf = key.rpartition(".")
        (filled[section] if section else filled).setdefault(leaf, copy.deepcopy(value))
    return RunConfig.of(filled)


def unchecked(composed: DictConfig, runtime: Any = None) -> dict[str, Any]:
    """Return what `resolve` returns as a plain container, its values not yet checked.

    Args:
        composed: What Hydra composed, with or without its ``hydra`` section.
        runtime: Hydra's ``runtime`` section; by default that of ``composed``.

    Raises:
        InputError: A key is one that no run has, a value is missing or cannot be resolved, or two
            learning rates disagree.
    """
    own = own_part(composed, runtime)
    resolve_all(own, composed)
    plain = cast("dict[str, Any]", OmegaConf.to_container(own))
    plain["optimizer"] = without_known(plain["optimizer"], plain["names"].get("optimizer"))
    if runtime is None:
        runtime = OmegaConf.select(composed, "hydra.runtime")
    together = plain["distributed"]
    plain["distributed"] = together | {"world_size": world_size_of(together["world_size"])}
    typed = typed_of(composed)
    _agree_on_lr(plain, typed)
    set_beta2(plain, typed)
    here = str(runtime.cwd) if runtime else str(Path.cwd())
    resolve_paths(plain, typed, here, own_folders(runtime), _settled(composed))
    refuse_missing(plain)
    return plain


def logger_of(composed: DictConfig) -> Any:
    """Return where else the runs of a composed config are to be sent, as plain values."""
    found = composed.get(WATCHING)
    if not isinstance(found, DictConfig):
        return found
    own = OmegaConf.masked_copy(composed, [WATCHING])
    resolve_all(own, composed)
    return cast("dict[str, Any]", OmegaConf.to_container(own))[WATCHING]


def _settled(composed: DictConfig) -> Sequence[str]:
    """Return the groups that a config records, as ``config.yaml`` does: all of a run.

    The runs of a comparison choose some for themselves, which its record does not name.
    """
    names = list(map(str, composed.get("names") or ()))
    return names if OmegaConf.get_type(composed) is CompareConfig else names and GROUPS


def own_part(composed: DictConfig, runtime: Any = None) -> DictConfig:
    """Return what of a composed config belongs to the run, interpolations unresolved.

    Args:
        composed: What Hydra composed, with or without its ``hydra`` section.
        runtime: Hydra's ``runtime`` section; by default that of ``composed``.

    Raises:
        InputError: A key is one that no run has, or one that every run has is not there.
    """
    if runtime is None:
        runtime = OmegaConf.select(composed, "hydra.runtime")
    choices: DictConfig | dict[str, str] = runtime.choices if runtime else {}
    is_comparison = OmegaConf.get_type(composed) is CompareConfig
    schema = fields(CompareConfig if is_comparison else RunConfig)
    known = {"hydra", WATCHING, *(section.name for section in schema)}
    for key in map(str, composed):
        if key not in known:
            if meant := keys_meant(key, set(keys_of(composed)) - {key}):
                raise InputError(f"{key}: no such key; did you mean {' or '.join(meant)}?")
            raise InputError(f"{key}: no such key; {suggest(key, known - {'hydra', *_FILLED})}")
    present = set(map(str, composed))
    for name, section in SECTIONS.items():
        if name in present and isinstance(value := composed[name], DictConfig):
            refuse_unread(name, value, get_type_hints(section))
    aside = ("hydra", WATCHING, *COMPARE_ONLY)
    keys = [str(key) for key in composed if key not in aside]
    config = OmegaConf.masked_copy(composed, keys)
    for key, value in _LATER.items():  # the config.yaml of an older run lacks them
        section, _, leaf = key.rpartition(".")
        part: DictConfig = config[section] if section else config
        if leaf not in part or OmegaConf.is_missing(part, leaf):
            part[leaf] = value
    if deleted := {field.name for field in fields(RunConfig)} - set(map(str, config)):
        raise InputError(f"~{min(deleted)}: every run has this key; leave it in")
    names = {g: str(choices[g]) for g in NAMED if choices.get(g) is not None}
    refuse_unread("names", config.names, NAMED)
    config.names = {**names, **config.names}
    own = [folder for folder in own_folders(runtime) if _holds_python(folder)]
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
