"""Hydra's application as we start it: its flags, and a config that is composed once."""

import contextlib
from collections.abc import Iterator
from typing import Any

# Hydra makes its loader by this name, and offers no other way to give it one.
import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import get_args_parser as get_args_parser
from hydra.types import RunMode
from omegaconf import DictConfig


class OnceLoader(ConfigLoaderImpl):
    """Hydra's config loader for one run on a command line.

    Hydra composes twice: first to read ``hydra.mode``, leaving out what is missing and allowing
    sweeps, then for the run. Where the second way succeeds the first gives the same config, so
    that is tried at once, and kept for the run.
    """

    _kept: tuple[str | None, list[str], DictConfig] | None = None

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Return the composed config; one that was composed for its mode is handed out again."""
        kept, self._kept = self._kept, None
        if kept and kept[:2] == (config_name, overrides) and run_mode == RunMode.RUN:
            return _in_run_mode(kept[2])
        asks_for_mode = run_mode == RunMode.MULTIRUN and not validate_sweep_overrides
        if asks_for_mode and (config := self._of_run(config_name, overrides)) is not None:
            self._kept = config_name, [*overrides, _RUN_MODE], config
            return config
        return super().load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )

    def _of_run(self, config_name: str | None, overrides: list[str]) -> DictConfig | None:
        """Return the config of a run that does not say its mode.

        None where Hydra's own way has to decide: to sweep, or what to refuse, and how.
        """
        try:
            config = super().load_configuration(config_name, overrides, RunMode.RUN)
        except Exception:
            return None
        return config if config.hydra.mode is None else None


@contextlib.contextmanager
def composing_once() -> Iterator[None]:
    """Let Hydra's applications make an `OnceLoader` in the block."""
    module: Any = hydra._internal.hydra
    own, module.ConfigLoaderImpl = module.ConfigLoaderImpl, OnceLoader
    try:
        yield
    finally:
        module.ConfigLoaderImpl = own


_RUN_MODE = "hydra.mode=RUN"
"""What Hydra adds to a command line that does not say its mode."""


def _in_run_mode(config: DictConfig) -> DictConfig:
    """Return the config as it is composed with `_RUN_MODE` behind the other overrides."""
    config.hydra.mode = RunMode.RUN
    config.hydra.overrides.hydra.append(_RUN_MODE)
    return config
