"""Turns what Hydra and OmegaConf complain about into one line with the nearest valid names."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from hydra.conf import HydraConf
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)  # fmt: skip
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException, ValidationError

from sgdlab.config.catalogue import groups
from sgdlab.config.command_line import NO_SWEEP
from sgdlab.config.interpolation import explain_access, keys_of, unknown_key
from sgdlab.config.key_docs import takes_list
from sgdlab.config.no_such import missing_file, no_such_key, valid_keys
from sgdlab.config.torn import unreadable
from sgdlab.errors import one_line, suggest

COMPLAINTS = (HydraException, OmegaConfBaseException, yaml.YAMLError)
"""What composing a config raises."""

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
    if isinstance(error, yaml.YAMLError):
        return _not_yaml(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return missing_file(error, own)
    if isinstance(error, OverrideParseException):
        return unreadable(str(error.override))
    if isinstance(error, ConfigCompositionException) and (line := _in_file(error, name, own)):
        return line
    if line := _by_words(str(error), name, own, overrides):
        return line
    cause = error.__cause__
    for link in (error, cause):
        if isinstance(link, ValidationError):
            return _wrong_type(link, overrides)
        if isinstance(link, OmegaConfBaseException):
            line = explain_access(link, lambda: valid_keys(name, own, overrides))
            if line is not None:
                return line
    if (key := _key_in(str(error))) is not None:
        inner = str(getattr(cause, "full_key", None) or "")
        key = inner if inner.startswith(f"{key}.") else key
        if key.startswith("hydra."):
            own_keys = [f"hydra.{name}" for name in keys_of(OmegaConf.structured(HydraConf))]
            return f"{unknown_key(key, own_keys)} (sgdlab train --cfg hydra shows them)"
        return no_such_key(key, name, own, overrides)
    if isinstance(cause, OmegaConfBaseException):
        return f"{_first(error)}: {_first(cause)}"
    return _first(error)


def _not_yaml(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{mark.name}, line {mark.line + 1}: " if mark else ""
    return f"{place}not valid YAML: {getattr(error, 'problem', None) or one_line(error)}"


def _in_file(error: Exception, name: str, own: Path | None) -> str | None:
    """Return the line of an error that a config file makes, which Hydra names in its own."""
    found = re.match(r"In '(.*?)': \w+ raised while composing config", str(error))
    inner = error.__context__
    if found is None or not isinstance(inner, OmegaConfBaseException):
        return None
    file, key = f"{found[1]}.yaml", str(inner.full_key or "")
    group = found[1].partition("/")[0]
    if isinstance(inner, ConfigKeyError):
        if group == key.partition(".")[0] == "experiment":
            return f"{file}: begin it with the line '# @package _global_'"
        return f"{file}: {unknown_key(key, valid_keys(name, own, ()))}"
    if "list is not a subclass" in str(inner):
        return f"{file}: a list; must be keys and values, such as _target_: module.name"
    return f"{file}: {key}: {_first(inner)}" if key else f"{file}: {_first(inner)}"


def _by_words(message: str, name: str, own: Path | None, overrides: Sequence[str]) -> str | None:
    """Return the line of an error that has no type of its own."""
    if "Ambiguous value" in message:
        typed = message.split("'")[1]
        key, _, values = typed.partition("=")
        return f"{typed}: {_several(name, key, values, overrides, own)}"
    if found := re.search(r"Could not delete from config\. '(.*?)' does not exist", message):
        return f"~{unknown_key(found[1], valid_keys(name, own, overrides))}"
    if found := re.search(r"An item is already at '(.*?)'", message):
        typed = next((o for o in overrides if o.startswith(f"+{found[1]}=")), f"+{found[1]}")
        return f"{typed}: the key is there already; write {typed[1:]}"
    if found := re.search(r"Multiple values for (\S+?)\.", message):
        return f"{found[1]}: has a member already; write {found[1]}=NAME, without +"
    if found := re.search(r"In '(.*?)': Could not override '(.*?)'", message):
        return (
            f"{found[1]}.yaml: override /{found[2]}: no such group; {suggest(found[2], groups())}"
        )
    if found := re.search(r"Could not override '(\w+@\w*)'", message):
        group = found[1].partition("@")[0]
        return f"{found[1]}: a group has one place; write {group}=NAME"
    if "Config group override" in message:
        return "a config group takes the name of a member, as in model=mlp; sgdlab list shows them"
    return None


def _several(name: str, key: str, values: str, overrides: Sequence[str], own: Path | None) -> str:
    """Say how several values are written: as runs of a sweep, and as a list where it takes one."""
    a_list = f"write {key}=[{values}] for a list" if takes_list(name, key, overrides, own) else ""
    if name in NO_SWEEP:
        return a_list or f"takes one value; {NO_SWEEP[name]}"
    if re.fullmatch(r"\d+,\d+", values) and key in ("lr", "optimizer.lr"):
        right = values.replace(",", ".")
        return f"add -m to run each value; a decimal has a point, {key}={right}"
    return f"add -m to run each value{a_list and f', or {a_list}'}"


def _first(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Of a call that fails Hydra says the reason in the second line.
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1]) if lines else repr(error)


def _wrong_type(error: ValidationError, overrides: Sequence[str]) -> str:
    key = str(error.full_key or "")
    typed = next((o for o in reversed(overrides) if o.lstrip("+").startswith(f"{key}=")), key)
    if "is not a ListConfig" in str(error) and "=" in typed:
        right = "=[".join(typed.lstrip("+").split("=", 1))
        return f"{typed}: expected a list; write {right}]"
    kind = next((text for name, text in _EXPECTED.items() if name in str(error)), None)
    return f"{typed}: expected {kind}" if kind else f"{typed}: {_first(error)}"


def _key_in(message: str) -> str | None:
    parts = message.split("'")
    return parts[1].split("@")[0] if "Could not override" in message and len(parts) > 1 else None
