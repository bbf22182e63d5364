"""Starts a ``@hydra.main`` application and turns Hydra's complaints into one line."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from sgdlab.config import register as register
from sgdlab.config.catalogue import groups, refuse_shadowed
from sgdlab.config.compose.application import composing_once, get_args_parser
from sgdlab.config.explain import explain
from sgdlab.config.gate import RefusedError
from sgdlab.config.parser import Parser
from sgdlab.errors import InputError


def run_app(app: Callable[[], Any], command: str, arguments: list[str]) -> None:
    """Run a Hydra application on a command line.

    Args:
        app: The function that `hydra.main` decorates.
        command: The command, whose name is that of its primary config.
        arguments: The command line after the command.

    Raises:
        InputError: The command line or a config cannot be used.
    """
    flags = _parse(command, arguments)
    own = Path(flags.config_dir).resolve() if flags.config_dir else None
    if own is not None:
        refuse_shadowed(own)
    if any(o.startswith("~hydra.callbacks") for o in flags.overrides):
        raise InputError("hydra.callbacks.gate checks a run before it starts: leave it in")
    # Hydra reports errors by itself, in many lines and with exit code 1, unless told to raise.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = [f"sgdlab {command}", *_flags_first(arguments, flags), *_defer(flags)]
    try:
        with contextlib.nullcontext() if flags.multirun else composing_once():
            app()
    except InputError:
        raise  # said in one line already, by the sweeper
    except RefusedError as refused:
        raise refused.error from refused
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        if type(error) is ValueError and "Config group override" not in str(error):
            raise
        name = flags.config_name or command.replace("-", "_")
        raise InputError(explain(error, name, own, flags.overrides)) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise InputError(f"{error.filename}: {error.strerror}") from error


def _flags_first(arguments: list[str], flags: argparse.Namespace) -> list[str]:
    """Return the flags of a command line: Hydra's parser wants all overrides in one piece."""
    overrides = list(flags.overrides)
    kept: list[str] = []
    for argument in arguments:
        if overrides and argument == overrides[0]:
            overrides.pop(0)
        else:
            kept.append(argument)
    return kept


def _defer(flags: argparse.Namespace) -> list[str]:
    """Return the overrides, settings of a group that is swept moved to the sweeper.

    In ``-m optimizer=adam,adamw optimizer.eps=1e-6`` the key exists in every run, and not in the
    default optimizer, with which Hydra composes first.
    """
    if not flags.multirun:
        return flags.overrides
    try:
        parsed = OverridesParser.create().parse_overrides(flags.overrides)
    except HydraException:
        return flags.overrides  # Hydra will say what is wrong
    swept = {o.key_or_group for o in parsed if o.is_sweep_override()} & set(groups())
    deferred = {
        str(o.input_line): o
        for o in parsed
        if o.key_or_group.partition(".")[0] in swept - {o.key_or_group} and not o.is_delete()
    }
    if not deferred:
        return flags.overrides
    params = ",".join(
        f"{o.get_key_element()}: {_quoted(o.get_value_element_as_str())}" for o in deferred.values()
    )
    kept = [override for override in flags.overrides if override not in deferred]
    return [*kept, f"+hydra.sweeper.params={{{params}}}"]


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"


_NO_SWEEP = {
    "compare": "a comparison sweeps by itself; several searches: replicates=10, several "
    "optimizers: optimizers=[sgd,adam]",
    "verify": "there is nothing to sweep; choose with rows=[…], families=[…]",
}


def _parse(command: str, arguments: list[str]) -> argparse.Namespace:
    parser = Parser(command, help_flag="--hydra-help", parents=[get_args_parser()], add_help=False)
    flags = parser.parse_intermixed_args(arguments)
    if flags.multirun and command in _NO_SWEEP:
        raise InputError(f"{command} -m: {_NO_SWEEP[command]}")
    return flags
