"""The moment between composing a config and making its run directory: refuse bad input there."""

from collections.abc import Callable
from typing import Any

from hydra.experimental.callback import Callback
from hydra.utils import get_method
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sgdlab.config.explain import explain
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError

NO_SWEEP = (
    "a lesson makes several runs by itself: leave out -m; seed=1 and the like count for all of them"
)


class RefusedError(BaseException):
    """Carries an `InputError` through Hydra, which turns a callback's exceptions into warnings."""

    def __init__(self, error: InputError) -> None:
        super().__init__(str(error))
        self.error = error


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

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the config of a single run."""
        try:
            _passed[:] = [self._check(config)]
        except InputError as error:
            raise RefusedError(error) from error
        except OmegaConfBaseException as error:
            line = explain(error, str(config.hydra.job.config_name))
            raise RefusedError(InputError(line)) from error
        except Exception as error:  # Hydra would warn, and start the run unchecked
            line = " ".join(f"{type(error).__name__}: {error}".split())
            raise RefusedError(InputError(f"cannot be checked: {line}")) from error


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
