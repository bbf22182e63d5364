"""The moment between composing a config and making its run directory: refuse bad input there."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig

from sgdlab.config.explain import COMPLAINTS, explain
from sgdlab.config.interpolation import refuse_unresolved, seen_by_hydra
from sgdlab.config.keys import refuse_unread_below
from sgdlab.config.launcher import refuse_missing_launcher
from sgdlab.config.paths import own_folders
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError

NO_SWEEP = (
    "a lesson makes several runs by itself: leave out -m; seed=1 and the like count for all of them"
)


class RefusedError(BaseException):
    """Carries an error through Hydra, which adds lines of its own, or makes a warning of it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextlib.contextmanager
def carried() -> Iterator[None]:
    """Carry what the task of a single run raises of bad input and of the machine past Hydra.

    Raises:
        RefusedError: In a sweep the error itself: the others go on.
    """
    try:
        yield
    except (InputError, OSError) as error:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        raise RefusedError(error) from error


_passed: list[Any] = []


def passed() -> Any:
    """Return what the check of the run that starts now returned, once.

    Raises:
        InputError: Nothing was checked: the gate was taken out of Hydra's callbacks.
    """
    if not _passed:
        raise InputError("hydra.callbacks.gate checks a run before it starts: it was taken out")
    return _passed.pop()


class Gate(Callback):
    """A Hydra callback that calls ``check(config)`` before a run has left any file.

    Args:
        check: The dotted path of a function that raises `InputError`. What it returns waits for
            the task of the run; see `passed`.
    """

    def __init__(self, check: str) -> None:
        self._check: Callable[[DictConfig], Any] = get_method(check)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check what all runs of a sweep share, before its sweeper is made of some of it."""
        try:
            refuse_unread_below(config)
            refuse_unresolved(config)
            _refuse_no_plugin(config)
            refuse_missing_launcher(config)
        except InputError as error:
            raise RefusedError(error) from error

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the config of a single run."""
        try:
            refuse_unread_below(config)
            refuse_unresolved(config)
            with seen_by_hydra(config):
                _passed[:] = [self._check(config)]
        except InputError as error:
            raise RefusedError(error) from error
        except COMPLAINTS as error:
            own = next(map(Path, own_folders(config.hydra.runtime)), None)
            line = explain(error, str(config.hydra.job.config_name), own)
            raise RefusedError(InputError(line)) from error
        except Exception as error:  # Hydra would warn, and start the run unchecked
            line = " ".join(f"{type(error).__name__}: {error}".split())
            raise RefusedError(InputError(f"cannot be checked: {line}")) from error


def _refuse_no_plugin(config: DictConfig) -> None:
    for name in ("launcher", "sweeper"):
        target = str(config.hydra[name].get("_target_") if config.hydra[name] else None)
        if not target.startswith(("hydra_plugins.", "hydra._internal.core_plugins.")):
            raise InputError(f"hydra.{name}._target_={target}: no plugin of Hydra; write "
                             f"hydra/{name}=NAME")  # fmt: skip


def refuse_sweep(config: RunConfig) -> None:
    """Refuse a job of a sweep that is a lesson.

    Raises:
        InputError: The run is a lesson.
    """
    if config.lesson is not None:
        raise InputError(f"-m: {NO_SWEEP}")


def refuse_lesson(composed: DictConfig, command: str) -> None:
    """Refuse a lesson in a command that is not ``train``.

    Raises:
        InputError: The config is a lesson.
    """
    if composed.get("lesson") is not None:
        raise InputError(f"{command}: a lesson goes with train: sgdlab train experiment=lessons/…")
