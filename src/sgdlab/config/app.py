"""Starts a ``@hydra.main`` application and turns Hydra's complaints into one line."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from sgdlab.config import register as register
from sgdlab.config.catalogue import groups, refuse_shadowed
from sgdlab.config.command_line import NO_SWEEP, check_arguments, check_flags, parsed
from sgdlab.config.compose.application import ConfusedError, composing, get_args_parser
from sgdlab.config.explain import COMPLAINTS, explain
from sgdlab.config.gate import RefusedError
from sgdlab.config.mistyped import refuse_apart, refuse_dashes
from sgdlab.config.parser import Parser
from sgdlab.config.torn import refuse_torn
from sgdlab.config.typed import quoted
from sgdlab.errors import InputError, said_of


def run_app(
    app: Callable[[], Any], command: str, arguments: list[str], open_keys: tuple[str, ...] = ()
) -> None:
    """Run a Hydra application on a command line.

    Args:
        app: The function that `hydra.main` decorates.
        command: The command, whose name is that of its primary config.
        arguments: The command line after the command.
        open_keys: How settings begin that may name keys which the config does not have.

    Raises:
        InputError: The command line or a config cannot be used.
    """
    check_arguments(command, arguments)
    refuse_dashes(command, arguments)
    flags = _parse(command, arguments)
    check_flags(command, flags)
    own = Path(flags.config_dir).resolve() if flags.config_dir else None
    if own is not None:
        refuse_shadowed(own)
    refuse_torn(flags.overrides, open_keys)
    refuse_apart(command, flags.overrides, own)
    overrides = parsed(flags.overrides, sweeps=command not in NO_SWEEP)
    if any(o.startswith("~hydra.callbacks") for o in flags.overrides):
        raise InputError("hydra.callbacks.gate checks a run before it starts: leave it in")
    words = [f"++{o}" if o.startswith(open_keys) else o for o in _defer(flags, overrides)]
    sys.argv = [f"sgdlab {command}", *_flags_first(arguments, flags), *words]
    try:
        with _raising(), composing(once=not flags.multirun):
            app()
    except InputError:
        raise  # said in one line already, by the sweeper
    except ConfusedError as error:
        raise InputError(error.line()) from error
    except RefusedError as refused:
        raise refused.error from refused.error.__cause__  # which a traceback is asked for
    except (*COMPLAINTS, ValueError) as error:
        if not isinstance(error, COMPLAINTS) and "Config group override" not in str(error):
            raise  # a fault of ours, or of a part: nothing of the config
        name = flags.config_name or command.replace("-", "_")
        raise InputError(explain(error, name, own, flags.overrides)) from error
    except OSError as error:
        if error.filename is None or (said := said_of(error))[1] == 1:
            raise
        raise InputError(said[0]) from error


@contextlib.contextmanager
def _raising() -> Iterator[None]:
    """Have Hydra raise errors, which it otherwise prints in many lines, to exit with code 1."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before


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


def _defer(flags: argparse.Namespace, parsed: Sequence[Override]) -> list[str]:
    """Return the overrides, settings of a group that is swept moved to the sweeper.

    In ``-m optimizer=adam,adamw optimizer.eps=1e-6`` the key exists in every run, and not in the
    default optimizer, with which Hydra composes first.
    """
    if not flags.multirun:
        return flags.overrides
    swept = {o.key_or_group for o in parsed if o.is_sweep_override()} & set(groups())
    deferred = {
        str(o.input_line): o
        for o in parsed
        if o.key_or_group.partition(".")[0] in swept - {o.key_or_group} and not o.is_delete()
    }
    if not deferred:
        return flags.overrides
    params = ",".join(
        f"{o.get_key_element()}: {quoted(o.get_value_element_as_str())}" for o in deferred.values()
    )
    kept = [override for override in flags.overrides if override not in deferred]
    return [*kept, f"+hydra.sweeper.params={{{params}}}"]


def _parse(command: str, arguments: list[str]) -> argparse.Namespace:
    parser = Parser(command, help_flag="--hydra-help", parents=[get_args_parser()], add_help=False)
    flags = parser.parse_intermixed_args(arguments)
    if flags.multirun and command in NO_SWEEP:
        raise InputError(f"{command} -m: {NO_SWEEP[command]}")
    return flags
