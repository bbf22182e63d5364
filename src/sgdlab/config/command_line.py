"""What stands on a command line is looked at before Hydra, which not all of it comes back from."""

import argparse
import math
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep
from hydra.errors import HydraException

from sgdlab.config.catalogue import groups, is_of_one, takes_one
from sgdlab.config.torn import unreadable
from sgdlab.config.user_files import DEEPEST, LARGEST
from sgdlab.errors import InputError, one_line

LONGEST = 20_000
"""Characters of an argument: its parser takes a millisecond for ten of them."""


MOST_JOBS = 1_000_000
"""Runs of a sweep; composing so many takes a quarter of an hour."""


NO_SWEEP = {
    "compare": "a comparison sweeps by itself; several searches: replicates=10, several "
    "optimizers: optimizers=[sgd,adam]",
    "verify": "there is nothing to sweep; choose with rows=[…], families=[…]",
}
"""Commands without ``-m``, and how several values are given to them."""


def check_arguments(command: str, arguments: Sequence[str]) -> None:
    """Refuse arguments that are no text, or too long for one.

    Raises:
        InputError: Names the argument.
    """
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise InputError(f"{command}: {argument}: not UTF-8, as all names must be") from None
        if "\0" in argument or len(argument) > LONGEST:
            what = "a zero byte in it" if "\0" in argument else f"over {LONGEST:,} characters"
            raise InputError(f"{command}: {argument[:60]}: {what}")


def check_flags(command: str, flags: argparse.Namespace) -> None:
    """Refuse flags that Hydra takes apart and together does not.

    Raises:
        InputError: Names the flag.
    """
    if flags.resolve and not (flags.cfg or flags.help):
        raise InputError(f"{command} --resolve: goes with --cfg, as in --cfg job --resolve")
    if flags.experimental_rerun is not None:
        raise InputError(
            f"{command} --experimental-rerun: reads a pickle; repeat a run with "
            "--config-dir RUN --config-name config"
        )
    if flags.config_path is not None:
        raise InputError(f"{command} --config-path: holds our configs; --config-dir adds yours")
    if flags.config_name == "":
        raise InputError(f"{command} --config-name: empty; must be the name of a config")
    tasks = {
        "--run": flags.run, "--cfg": flags.cfg, "--multirun": flags.multirun,
        "--info": flags.info, "--shell-completion": flags.shell_completion,
    }  # fmt: skip
    if len(asked := [name for name, value in tasks.items() if value]) > 1:
        raise InputError(f"{command} {' '.join(asked)}: one of them at a time")
    if flags.shell_completion:
        raise InputError(f"{command} --shell-completion: goes with install=bash, zsh or fish")


def parsed(overrides: Sequence[str], *, sweeps: bool = True) -> list[Override]:
    """Return overrides as Hydra reads them.

    Args:
        overrides: The words of the command line that are no flags.
        sweeps: Whether the command has ``-m``.

    Raises:
        InputError: It cannot read one; or it can, and would fail: a member that is no name, a
            number of more than 64 bits.
    """
    found: list[Override] = []
    parser = OverridesParser.create()
    for typed in overrides:
        try:
            found += parser.parse_overrides([typed])
        except HydraException as error:
            raise InputError(unreadable(typed)) from error
        except (RecursionError, ValueError) as error:
            what = "nested too deeply" if isinstance(error, RecursionError) else one_line(error)
            raise InputError(f"{typed[:60]}: {what}") from error
        _check(found[-1], sweeps)
    _check_jobs(found)
    return found


def refuse_lists(override: Override, *, sweeps: bool = True) -> None:
    """Refuse a list of names for a group that takes one: no member would be on record as chosen.

    Raises:
        InputError: Has the name to write.
    """
    group = str(override.key_or_group)
    if not is_of_one(group):
        return
    for value in _values(override):
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            typed = f"{group}=[{','.join(value)}]"
            raise InputError(f"{typed}: {takes_one(group, value, sweeps=sweeps)}")


def _check(override: Override, sweeps: bool) -> None:
    typed = str(override.input_line)
    refuse_lists(override, sweeps=sweeps)
    if not override.key_or_group:
        raise InputError(f"{typed}: must be KEY=VALUE")
    is_group = override.key_or_group in groups() or override.key_or_group.startswith("hydra/")
    for value in _values(override):
        is_name = isinstance(value, str | dict | None)
        is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
        if is_group and not (is_name or is_list):
            raise InputError(
                f"{typed}: a config group takes the name of a member, as in model=mlp; "
                "sgdlab list shows them"
            )
        for depth, leaf in _leaves(value, 1):
            if depth > DEEPEST:
                raise InputError(f"{typed}: nested deeper than {DEEPEST} levels")
            if isinstance(leaf, int) and abs(leaf) >= LARGEST:
                raise InputError(f"{typed}: a whole number of more than 64 bits")


def _values(override: Override) -> list[Any]:
    """Return the value of an override, or those that it chooses from; none for other sweeps."""
    if not override.is_sweep_override():
        return [override.value()]
    is_list = isinstance(override.value(), ChoiceSweep)
    return list(override.sweep_iterator()) if is_list else []


def _check_jobs(overrides: Sequence[Override]) -> None:
    """Refuse a sweep that is empty, or too long to be meant, before its jobs are written out."""
    count = 1.0
    for override in overrides:
        value = override.value()
        if isinstance(value, RangeSweep):
            start, stop, step = float(value.start or 0), float(value.stop or 0), float(value.step)
            own = (stop - start) / step if step else math.inf
            if not 0 < own < math.inf:
                raise InputError(f"{override.input_line}: a range without values, or without end")
            count *= math.ceil(own)
        elif override.is_sweep_override():
            count *= max(1, len(_values(override)))
    if count > MOST_JOBS:
        raise InputError(f"-m: {count:.3g} runs; at most {MOST_JOBS:,} in one sweep")


def _leaves(value: Any, depth: int) -> Iterator[tuple[int, Any]]:
    yield depth, value
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item, depth + 1)
