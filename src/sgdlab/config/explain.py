"""Turns what Hydra and OmegaConf complain about into one line with the nearest valid names."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)  # fmt: skip
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from sgdlab.config.catalogue import conf_dir, groups
from sgdlab.errors import suggest

_EXPECTED = {"Float": "a number", "Integer": "a whole number", "Boolean": "true or false"}


def explain(
    error: Exception, name: str, own: Path | None = None, overrides: Sequence[str] = ()
) -> str:
    """Return one line for an error that Hydra or OmegaConf raised while composing.

    Args:
        error: The error.
        name: The name of the primary config.
        own: The user's config folder.
        overrides: The overrides that were typed.
    """
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        missing = str(error.missing_cfg_file)
        group, _, member = missing.rpartition("/")
        if error.options is not None or group:
            options = [str(option) for option in error.options or ()]
            return f"{group}={member}: no such member of {group}; {suggest(member, options)}"
        return f"--config-name {missing}: no such config in {own or conf_dir()}"
    if isinstance(error, OverrideParseException):
        return f"{error.override}: cannot be read as key=value; quote special characters"
    if isinstance(error, ConfigCompositionException) and "Ambiguous value" in str(error):
        typed = str(error).split("'")[1]
        key, _, values = typed.partition("=")
        return f"{typed}: add -m to run each value, or write {key}=[{values}] for a list"
    cause = error.__cause__
    for link in (error, cause):
        if isinstance(link, ValidationError):
            return _wrong_type(link, overrides)
    if (key := _key_in(str(error))) is not None:
        inner = str(getattr(cause, "full_key", None) or "")
        key = inner if inner.startswith(f"{key}.") else key
        if key.startswith("hydra."):
            return f"{key}: no such key of Hydra's own; sgdlab train --cfg hydra shows them"
        return _unknown_key(key, _valid_keys(name, own, overrides))
    if isinstance(error, ValueError):
        return "a config group takes the name of a member, as in model=mlp; sgdlab list shows them"
    if isinstance(cause, OmegaConfBaseException):
        return f"{_first(error)}: {_first(cause)}"
    return _first(error)


def _first(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def _wrong_type(error: ValidationError, overrides: Sequence[str]) -> str:
    key = str(error.full_key or "")
    typed = next((o for o in reversed(overrides) if o.lstrip("+").startswith(f"{key}=")), key)
    kind = next((text for name, text in _EXPECTED.items() if name in str(error)), None)
    return f"{typed}: expected {kind}" if kind else f"{typed}: {_first(error)}"


def _key_in(message: str) -> str | None:
    parts = message.split("'")
    return parts[1].split("@")[0] if "Could not override" in message and len(parts) > 1 else None


def _unknown_key(key: str, valid: list[str]) -> str:
    """Offer keys of the same section by their last part, or the same key of another section."""
    section, _, leaf = key.rpartition(".")
    elsewhere = [name for name in valid if name.rpartition(".")[2] == leaf]
    if elsewhere:
        return f"{key}: no such key; did you mean {' or '.join(elsewhere)}?"
    leaves = [name.rpartition(".")[2] for name in valid if name.rpartition(".")[0] == section]
    inside = f" in {section}" if section and leaves else ""
    roots = [name for name in valid if "." not in name]
    return f"{key}: no such key{inside}; {suggest(leaf, leaves or roots)}"


def _valid_keys(name: str, own: Path | None, overrides: Sequence[str]) -> list[str]:
    """Return the keys that the config has once the group choices of the command line are made."""
    chosen = [o for o in overrides if o.partition("=")[0] in groups()]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        if own is not None:
            chosen.append(f"hydra.searchpath=[file://{own}]")
        try:
            config = compose(name, chosen)
        except (HydraException, OmegaConfBaseException):
            config = compose("train")
    return list(_keys(OmegaConf.to_container(config, resolve=False), ""))


def _keys(section: object, prefix: str) -> Iterator[str]:
    if isinstance(section, dict):
        for key, value in cast("dict[object, object]", section).items():
            yield f"{prefix}{key}"
            yield from _keys(value, f"{prefix}{key}.")
