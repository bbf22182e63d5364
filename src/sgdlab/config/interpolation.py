"""Resolves ``${…}`` in a config, and says of one that cannot be its key and what it lacks."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, UnsupportedInterpolationType

from sgdlab.config.schema import GROUPS
from sgdlab.errors import InputError, nearest, one_line, suggest

_RESOLVERS = (
    "oc.env", "oc.select", "oc.decode", "oc.create", "oc.deprecated", "oc.dict.keys",
    "oc.dict.values", "hydra", "now", "python_version",
)  # fmt: skip
"""What may stand before the colon, in every config."""

_UNKNOWN_YET = ("job.num", "job.id", "runtime.output_dir")
"""Keys of Hydra's own that have a value only once a run has its folder."""


def resolve_all(config: DictConfig, composed: DictConfig) -> None:
    """Resolve every interpolation of a config in place.

    Args:
        config: What is to be resolved.
        composed: The config with its ``hydra`` section, if there is one: what ``${hydra:…}``
            stands for, as it will when the run starts.

    Raises:
        InputError: One cannot be resolved; names its key and what it lacks.
    """
    with seen_by_hydra(composed):
        try:
            OmegaConf.resolve(config)
        except OmegaConfBaseException as error:
            raise InputError(_first_unresolved(config) or one_line(error)) from error


def refuse_missing(plain: Mapping[str, Any]) -> None:
    """Refuse a resolved config in which a value that a YAML leaves to be given was not given.

    Raises:
        InputError: ``dataset=table: needs dataset.path= and dataset.target=``.
    """
    for section, value in plain.items():
        missing = [".".join((section, *keys)) for keys in _missing_in(value)]
        if missing:
            member = plain["names"].get(section)
            part = f"{section}={member}" if member else section
            raise InputError(f"{part}: needs {' and '.join(f'{key}=' for key in missing)}")


def _missing_in(value: Any) -> Iterator[tuple[str, ...]]:
    if value == "???":
        yield ()
    elif isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from ((str(name), *keys) for keys in _missing_in(item))


def refuse_unresolved(composed: DictConfig) -> None:
    """Refuse a composed config in which a value cannot be resolved; Hydra's own are left aside.

    Raises:
        InputError: Names the key and what it lacks; or a group of which no member is chosen.
    """
    # The config.yaml of an older run lacks groups that came later, which are filled in.
    for group in () if composed.get("names") else GROUPS:
        if group in set(composed) and OmegaConf.is_missing(composed, group):
            raise InputError(f"{group}: no member is chosen; write {group}=NAME")
    with seen_by_hydra(composed):
        if (line := _first_unresolved(composed)) is not None:
            raise InputError(line)


@contextlib.contextmanager
def seen_by_hydra(composed: DictConfig) -> Iterator[None]:
    """Let ``${hydra:…}`` stand for the ``hydra`` section of a config, as it will in its run."""
    OmegaConf.register_new_resolver("hydra", _value_of_hydra, replace=True)
    if "hydra" not in composed:  # the task of a run: Hydra knows its own by now
        yield
        return
    singleton: Any = HydraConfig.instance()
    before, singleton.cfg = singleton.cfg, composed
    try:
        yield
    finally:
        singleton.cfg = before


def _value_of_hydra(path: str) -> Any:
    """Return what ``${hydra:PATH}`` stands for; Hydra's own resolver takes what is absent as null.

    Raises:
        InputError: There is no such key, or it has no value yet.
    """
    section = cast(DictConfig, HydraConfig.get())
    value = OmegaConf.select(section, path, default=_ABSENT)
    if value is not _ABSENT:
        return value
    if path in _UNKNOWN_YET:
        raise InputError(not_known_yet(path))
    raise InputError(unknown_key(path, keys_of(section), of="Hydra's own"))


_ABSENT = object()


def not_known_yet(path: str) -> str:
    """Say that a key of Hydra's own has no value before a run starts, and what has one."""
    return (
        f"hydra.{path} has no value before a run has started, and the run's id depends on it; "
        "${run_id:} and ${run_name:} name folders, ${hydra:runtime.cwd} is the working directory"
    )


def _first_unresolved(config: DictConfig) -> str | None:
    """Return the line of the first value that cannot be resolved."""
    for key, section, name, text in _interpolations(config, ""):
        if key.startswith("hydra."):
            continue
        try:
            _ = section[name]
        except OmegaConfBaseException as error:
            valid = [each for each in keys_of(config) if not each.startswith("hydra")]
            line = _what_it_lacks(error, key, text, valid)
            return line if line.startswith(f"{key}=") else f"{key}={text}: {line}"
    return None


def _interpolations(
    section: DictConfig | ListConfig, prefix: str
) -> Iterator[tuple[str, Any, Any, str]]:
    plain: Any = OmegaConf.to_container(section, resolve=False)
    names: Any = plain if isinstance(plain, dict) else range(len(plain))
    for name in names:
        key = f"{prefix}{name}"
        if OmegaConf.is_interpolation(section, name):
            yield key, section, name, str(plain[name])
        elif not OmegaConf.is_missing(section, name):
            value = section[name]
            if isinstance(value, DictConfig | ListConfig):
                yield from _interpolations(value, f"{key}.")


def explain_access(error: OmegaConfBaseException, valid: Callable[[], Sequence[str]]) -> str | None:
    """Return the line of an error at one key whose value is an interpolation; else None.

    Args:
        error: The error.
        valid: Gives the keys that there are.
    """
    parent, key = error.parent_node, str(error.full_key or "")
    if not isinstance(parent, DictConfig | ListConfig) or not key:
        return None
    plain: Any = OmegaConf.to_container(parent, resolve=False)
    try:
        text = plain[error.key]
    except (KeyError, IndexError, TypeError):
        return None
    if not isinstance(text, str) or "${" not in text:
        return None
    return f"{key}={text}: {_what_it_lacks(error, key, text, valid())}"


def keys_of(config: Any) -> list[str]:
    """Return the dotted keys of a config."""
    return list(_keys(OmegaConf.to_container(config, resolve=False), ""))


def _keys(section: Any, prefix: str) -> Iterator[str]:
    if isinstance(section, dict):
        for key, value in section.items():
            yield f"{prefix}{key}"
            yield from _keys(value, f"{prefix}{key}.")


def _what_it_lacks(error: OmegaConfBaseException, key: str, text: str, valid: Sequence[str]) -> str:
    message = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if found := re.search(r"Environment variable '(.*)' not found", message):
        close = nearest(found[1], os.environ, 1)
        meant = f"did you mean {close[0]}? else " if close else ""
        default = f"${{oc.env:{found[1]},VALUE}}"
        return f"the environment variable {found[1]} is not set; {meant}set it, or write {default}"
    if found := re.search(r"Interpolation key '(.*)' not found", message):
        return _unknown(found[1], key, text, valid)
    if isinstance(error, UnsupportedInterpolationType):
        name = message.rpartition(" ")[2]
        own = ("run_id", "run_name", "run_folder", "study_name")
        known = [each for each in (*_RESOLVERS, *own) if OmegaConf.has_resolver(each)]
        return f"there is no resolver {name}; {suggest(name, known)}"
    if "Recursive interpolation" in message or "RecursionError" in message:
        return "refers to itself, directly or by way of another key"
    if "Missing mandatory" in message or "MissingMandatory" in message:
        return _missing(text)
    return message.partition("raised while resolving interpolation: ")[2] or message


def _missing(text: str) -> str:
    for path in _UNKNOWN_YET:
        if path in text:
            return not_known_yet(path)
    return "refers to a key whose value is ???, to be given on the command line"


def _unknown(name: str, key: str, text: str, valid: Sequence[str]) -> str:
    if name.startswith("hydra."):
        return f"there is no key {name}; Hydra's own are written ${{hydra:{name[6:]}}}"
    if re.search(r"\$\{\.+" + re.escape(name), text):  # from the section of the key
        name = ".".join([*key.split(".")[:-1], name])
    return unknown_key(name, valid)


def unknown_key(key: str, valid: Sequence[str], of: str = "") -> str:
    """Say that there is no such key: of the valid ones, offer those of its section.

    Args:
        key: The dotted key.
        valid: Every dotted key that there is.
        of: Whose key it would be.
    """
    none, asked = f"no such key{of and f' of {of}'}", key.rpartition(".")[2]
    elsewhere = [name for name in valid if name.rpartition(".")[2] == asked]
    section, known = key.rpartition(".")[0], key
    while section and section not in valid:  # it may be unknown, too
        known, section = section, section.rpartition(".")[0]
    inside = _inside(section, valid) if section else []
    leaf = known.rpartition(".")[2]
    if elsewhere and not nearest(leaf, inside):
        return f"{key}: {none}; did you mean {' or '.join(elsewhere)}?"
    where = f" in {section}" if inside else ""
    return f"{known}: {none}{where}; {suggest(leaf, inside or _inside('', valid))}"


def _inside(section: str, valid: Sequence[str]) -> list[str]:
    parts = (name.rpartition(".") for name in valid)
    return [leaf for own, _, leaf in parts if own == section and not leaf.startswith("_")]
