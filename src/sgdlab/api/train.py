"""``sgdlab.train``, ``sgdlab.sweep`` and ``sgdlab.compare``: the commands as functions."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sgdlab.api.command import Done, run_command
from sgdlab.api.load import Comparison, Run, RunFailedError
from sgdlab.api.objects import Parts
from sgdlab.api.settings import overrides_of
from sgdlab.api.study import Study
from sgdlab.config.typed import as_typed
from sgdlab.errors import InputError
from sgdlab.results import FAILED

PARTS = "parts"
"""Folder of a study, or of ``runs/train``, for what configs name that was given in Python."""


def train(
    *typed: str,
    directory: str | os.PathLike[str] | None = None,
    config_dir: str | os.PathLike[str] | None = None,
    verbose: bool = False,
    **settings: Any,
) -> Run:
    """Train one run, as ``sgdlab train`` does: the same checks, the same files, the same id.

    ``train(optimizer="adamw", lr=1e-3, model__hidden=[64])`` is
    ``sgdlab train optimizer=adamw lr=0.001 model.hidden=[64]``. A model, dataset, loss, metric,
    optimizer or schedule may be given as a class or a function that can be imported, with settings
    by `functools.partial`; a dataset also as a pair of arrays ``(x, y)``.

    Args:
        typed: Overrides as on the command line, before the settings.
        directory: The run directory; by default ``runs/train/<date>/<time>-<optimizer>-<run_id>``.
        config_dir: A folder with YAML of your own.
        verbose: Whether to print what the command prints.
        settings: Keys of the config; ``a__b`` is ``a.b``.

    Raises:
        InputError: The settings cannot be used; nothing was written.
        RunFailedError: The run failed; its attribute ``run`` has what it left.
        KeyboardInterrupt: Ctrl-C; the current step has ended.
    """
    _refuse_flags(typed)
    if any("lessons/" in each for each in (*typed, str(settings.get("experiment")))):
        raise InputError("experiment=lessons/…: makes several runs; type sgdlab train for lessons")
    place = Path("runs", "train", PARTS)
    arguments = _arguments(typed, settings, place, config_dir)
    if directory is not None:
        arguments.append(f"hydra.run.dir={as_typed(os.fspath(directory))}")
    done = run_command("train", arguments, verbose)
    run = Run(done.folder, done.notices)
    if run.status == FAILED:
        raise RunFailedError(run)
    return run


def sweep(
    *typed: str,
    study: str | None = None,
    config_dir: str | os.PathLike[str] | None = None,
    verbose: bool = False,
    **settings: Any,
) -> Study:
    """Train every combination of the values given, as ``sgdlab train -m`` does.

    A list, a range or an array has the values of a sweep, a tuple is one value that is a list:
    ``sweep(lr=[0.01, 0.1], seed=range(3), model__hidden=[(32,), (64, 64)])``. What is finished is
    not trained again; a run that failed is a row with its reason.

    Args:
        typed: Overrides as on the command line, before the settings.
        study: The folder under ``runs``; by default a name made from what is swept.
        config_dir: A folder with YAML of your own.
        verbose: Whether to print what the command prints.
        settings: Keys of the config; ``a__b`` is ``a.b``.

    Raises:
        InputError: A run of it cannot be used; nothing was trained.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    _refuse_flags(typed)
    done = _study("train", typed, study, config_dir, verbose, settings, swept=True)
    return Study(done.folder, done.notices)


def compare(
    *typed: str,
    study: str | None = None,
    config_dir: str | os.PathLike[str] | None = None,
    verbose: bool = False,
    **settings: Any,
) -> Comparison:
    """Tune every optimizer under one budget, re-run the winners and report, as ``sgdlab compare``.

    ``compare(optimizers=["nesterov", "adamw"], model=Net, dataset=(x, y), protocol="quick")``.

    Args:
        typed: Overrides as on the command line, before the settings.
        study: The folder under ``runs``; by default a name made from what is compared.
        config_dir: A folder with YAML of your own; bounds of your own optimizers are in its
            ``search``.
        verbose: Whether to print what the command prints.
        settings: Keys of the config; ``a__b`` is ``a.b``.

    Raises:
        InputError: Something cannot be used; nothing was trained.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    _refuse_flags(typed)
    for name in settings.get("optimizers") or ():
        if not isinstance(name, str):
            raise InputError(
                f"optimizers: {getattr(name, '__name__', name)}: give names; an optimizer of your "
                "own needs my/optimizer/NAME.yaml, its bounds in my/search/NAME.yaml, and "
                "config_dir='my'"
            )
    done = _study("compare", typed, study, config_dir, verbose, settings, swept=False)
    return Comparison(done.folder, done.notices)


def _study(
    command: str,
    typed: Sequence[str],
    study: str | None,
    config_dir: str | os.PathLike[str] | None,
    verbose: bool,
    settings: Mapping[str, Any],
    swept: bool,
) -> Done:
    parts = Parts()
    named = parts.named(settings)
    if study is None and parts.digest:  # the files of the parts lie in its folder
        study = _name_of(command, parts.digest, [*typed, *overrides_of(named, swept)])
    place = Path("runs", study or "", PARTS)
    arguments = _arguments(typed, settings, place, config_dir, swept)
    if study is not None:
        arguments.append(f"study={as_typed(study)}")
    return run_command(command, [*(["-m"] if swept else []), *arguments], verbose)


def _name_of(command: str, digest: str, overrides: Sequence[str]) -> str:
    """Return a name for a study of objects, the same whenever the same call is made."""
    if command == "train":  # more values of the same keys extend a sweep
        overrides = [each.partition("=")[0] if "," in each else each for each in overrides]
    text = "\n".join([digest, *sorted(overrides)])
    return f"{command}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _arguments(
    typed: Sequence[str],
    settings: Mapping[str, Any],
    place: Path,
    config_dir: str | os.PathLike[str] | None,
    swept: bool = False,
) -> list[str]:
    parts = Parts()
    overrides = [*typed, *overrides_of(parts.named(settings), swept)]
    more, own = parts.write(place)
    overrides += more
    given = None if config_dir is None else os.fspath(config_dir)
    if own is not None and given is not None:
        overrides.append(f"hydra.searchpath=[{as_typed(f'file://{own.resolve()}')}]")
    elif own is not None:
        given = str(own)
    return [*([] if given is None else ["--config-dir", given]), *overrides]


def _refuse_flags(typed: Sequence[str]) -> None:
    for each in typed:
        if each.startswith("-"):
            raise InputError(f"{each}: a flag of the command line; give keys, as in lr=0.1")
