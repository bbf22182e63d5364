"""Starts a ``@hydra.main`` application and turns Hydra's complaints into one line."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException,
)  # fmt: skip
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, UnsupportedInterpolationType, ValidationError

from sgdlab.commands.gate import RefusedError
from sgdlab.errors import InputError, offer
from sgdlab.groups import conf_dir, groups, refuse_shadowed

_EXPECTED = {"Float": "a number", "Integer": "a whole number", "Boolean": "true or false"}


def run_app(app: Callable[[], Any], command: str, arguments: list[str]) -> None:
    """Run a Hydra application on a command line.

    Python files in the working directory and in ``--config-dir`` can be named by ``_target_``.

    Args:
        app: The decorated function.
        command: ``train`` or ``compare``; also the name of its primary config.
        arguments: Command line after the command.

    Raises:
        InputError: The command line or a config cannot be used.
    """
    flags = _parse(command, arguments)
    own = Path(flags.config_dir).resolve() if flags.config_dir else None
    if own is not None:
        refuse_shadowed(own)
    sys.path.extend(str(path) for path in (own, Path.cwd()) if path is not None)
    # Hydra reports errors by itself, in many lines and with exit code 1, unless told to raise.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = [f"sgdlab {command}", *arguments]
    try:
        app()
    except RefusedError as refused:
        raise refused.error from refused
    except (HydraException, OmegaConfBaseException) as error:
        name = flags.config_name or command
        raise InputError(_one_line(error, name, own, flags.overrides)) from error


def _parse(command: str, arguments: list[str]) -> argparse.Namespace:
    parser = get_args_parser()
    parser.prog = f"sgdlab {command}"

    def refuse(message: str) -> NoReturn:
        raise InputError(f"sgdlab {command}: {message}; see sgdlab {command} --hydra-help")

    parser.error = refuse  # type: ignore[method-assign]
    return parser.parse_args(arguments)


def _one_line(error: Exception, name: str, own: Path | None, overrides: list[str]) -> str:
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        missing = str(error.missing_cfg_file)
        group, _, member = missing.rpartition("/")
        if error.options is not None or group:
            options = [str(option) for option in error.options or ()]
            return f"{group}={member}: no such member of {group}; {offer(member, options)}"
        return f"--config-name {missing}: no such config in {own or conf_dir()}"
    if isinstance(error, OverrideParseException):
        return f"{error.override}: not of the form key=value ({_first(error)})"
    if isinstance(error, ConfigCompositionException) and "Ambiguous value" in str(error):
        typed = str(error).split("'")[1]
        key, _, values = typed.partition("=")
        return f"{typed}: add -m to run each value, or write {key}=[{values}] for a list"
    cause = error.__cause__
    for link in (error, cause):
        if isinstance(link, ValidationError):
            return _wrong_type(link, overrides)
    key = _key_in(str(error), overrides)
    if key is not None and "Could not override" in str(error):
        return f"{key}: no such key; {offer(key, _near(key, _valid_keys(name, own, overrides)))}"
    if isinstance(cause, UnsupportedInterpolationType | OmegaConfBaseException):
        return f"{_first(error)}: {_first(cause)}"
    return _first(error)


def _first(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def _wrong_type(error: ValidationError, overrides: list[str]) -> str:
    key = str(error.full_key or "")
    typed = next((o for o in reversed(overrides) if o.lstrip("+").startswith(f"{key}=")), key)
    kind = next((text for name, text in _EXPECTED.items() if name in str(error)), None)
    return f"{typed}: expected {kind}" if kind else f"{typed}: {_first(error)}"


def _key_in(message: str, overrides: list[str]) -> str | None:
    parts = message.split("'")
    if "Could not override" in message and len(parts) > 1:
        return parts[1].split("@")[0]
    return None


def _near(key: str, valid: list[str]) -> list[str]:
    """Return the valid keys of the same section, or all where the section itself is unknown."""
    section = key.rpartition(".")[0]
    same = [name for name in valid if name.rpartition(".")[0] == section]
    leaf = key.rpartition(".")[2]
    elsewhere = [name for name in valid if name.rpartition(".")[2] == leaf]
    return elsewhere or same or valid


def _valid_keys(name: str, own: Path | None, overrides: list[str]) -> list[str]:
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
    return list(_keys(config, ""))


def _keys(config: DictConfig, prefix: str) -> Iterator[str]:
    for key in config:
        yield f"{prefix}{key}"
        if OmegaConf.is_interpolation(config, key):
            continue
        node = config._get_node(key)
        if isinstance(node, DictConfig):
            yield from _keys(node, f"{prefix}{key}.")
