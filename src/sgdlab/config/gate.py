"""The moment between composing a config and making its run directory: refuse bad input there."""

from collections.abc import Callable, Mapping
from typing import Any

from hydra.experimental.callback import Callback
from hydra.utils import get_method
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sgdlab.config.explain import explain
from sgdlab.errors import InputError

NO_SWEEP = (
    "a lesson makes several runs by itself: leave out -m; seed=1 and the like count for all of them"
)


class RefusedError(BaseException):
    """Carries an `InputError` through Hydra, which turns a callback's exceptions into warnings."""

    def __init__(self, error: InputError) -> None:
        super().__init__(str(error))
        self.error = error


class Gate(Callback):
    """A Hydra callback that calls ``check(config)`` before a run has left any file.

    Args:
        check: Dotted path of a function that raises `InputError`.
    """

    def __init__(self, check: str) -> None:
        self._check: Callable[[DictConfig], None] = get_method(check)

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the config of a single run."""
        try:
            self._check(config)
        except InputError as error:
            raise RefusedError(error) from error
        except OmegaConfBaseException as error:
            line = explain(error, str(config.hydra.job.config_name))
            raise RefusedError(InputError(line)) from error
        except Exception as error:  # Hydra would warn, and start the run unchecked
            line = " ".join(f"{type(error).__name__}: {error}".split())
            raise RefusedError(InputError(f"cannot be checked: {line}")) from error


def refuse_sweep(settled: Mapping[str, object]) -> None:
    """Refuse a job of a sweep that is a lesson.

    Raises:
        InputError: It is one.
    """
    if settled.get("lesson") is not None:
        raise InputError(f"-m: {NO_SWEEP}")


def refuse_lesson(composed: DictConfig, command: str) -> None:
    """Refuse a lesson in a command that is not ``train``.

    Raises:
        InputError: The config is one.
    """
    if composed.get("lesson") is not None:
        raise InputError(f"{command}: a lesson goes with train: sgdlab train experiment=lessons/…")
