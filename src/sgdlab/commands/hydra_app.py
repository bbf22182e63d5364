"""Starts a ``@hydra.main`` application and turns Hydra's complaints into one line."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from sgdlab.commands.gate import RefusedError
from sgdlab.errors import InputError
from sgdlab.groups import refuse_shadowed
from sgdlab.hydra_errors import explain


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
        raise InputError(explain(error, name, own, flags.overrides)) from error


def _parse(command: str, arguments: list[str]) -> argparse.Namespace:
    parser = get_args_parser()
    parser.prog = f"sgdlab {command}"

    def refuse(message: str) -> NoReturn:
        raise InputError(f"sgdlab {command}: {message}; see sgdlab {command} --hydra-help")

    parser.error = refuse  # type: ignore[method-assign]
    return parser.parse_args(arguments)
