"""Hydra's application as we start it: its flags, and a config that is composed once."""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Hydra makes its loader by this name, keeps its readers of folders there, and offers no other way
# to give it others.
import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.sources_registry import SourcesRegistry
from hydra._internal.utils import get_args_parser as get_args_parser
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.user_files import check_file
from sgdlab.errors import InputError, reason_of


class CheckedLoader(ConfigLoaderImpl):
    """Hydra's config loader for our commands: every config that it makes can be checked."""

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Return the composed config.

        Raises:
            InputError: It would start without being checked.
            ConfusedError: Hydra cannot make anything of it.
        """
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", "provider=.* is not available", UserWarning)
                config = super().load_configuration(
                    config_name, overrides, run_mode, from_shell, validate_sweep_overrides
                )
        except UserWarning as missing:
            if "is not available" not in str(missing):
                raise
            where = str(missing).partition("path=")[2].removesuffix(" is not available.")
            raise InputError(
                f"--config-name {config_name}: {where}: no such folder of configs; give the one "
                "that you have with hydra.searchpath=[file:///…]"
            ) from missing
        except _CONFUSED as error:
            if isinstance(error, InputError):
                raise
            raise ConfusedError(config_name, overrides, self._confused_by) from error
        gate = OmegaConf.select(config, "hydra.callbacks.gate")
        is_ours = isinstance(gate, DictConfig) and set(map(str, gate)) == {"_target_", "check"}
        if not (is_ours and gate._target_ == _GATE and gate.check in _CHECKS):
            raise InputError(
                f"--config-name {config_name}: begin the file with the line 'defaults: [train, "
                "_self_]', and leave hydra.callbacks.gate as it is: it checks a run before it "
                "starts"
            )
        return config

    def _confused_by(self, override: str) -> bool:
        """Say whether Hydra fails at an override that stands alone."""
        with contextlib.suppress(Exception):
            try:
                super().load_configuration(None, [override], RunMode.RUN)
            except _CONFUSED:
                return True
        return False


class ConfusedError(Exception):
    """Hydra has failed at a command line or a config with an error that names neither.

    Args:
        config_name: The primary config.
        overrides: The overrides.
        confused_by: Says whether Hydra fails at an override that stands alone.
    """

    def __init__(
        self, config_name: str | None, overrides: list[str], confused_by: Callable[[str], bool]
    ) -> None:
        super().__init__("cannot be composed")
        self._config_name, self._overrides = config_name, overrides
        self._confused_by = confused_by

    def line(self) -> str:
        """Return a line with the first override that Hydra fails at; else what it said."""
        own = [each for each in self._overrides if not each.startswith("hydra.mode=")]
        found = next((each for each in own if self._confused_by(each)), None)
        if found is not None:
            return f"{found}: cannot be a value of this key"
        what = reason_of(self.__cause__ or self)
        return f"{' '.join(own) or self._config_name}: cannot be composed: {what}"


_CONFUSED = (
    AssertionError, AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What Hydra fails with where a value is of a kind that it does not expect."""

_GATE = "sgdlab.config.gate.Gate"
_CHECKS = tuple(
    f"sgdlab.commands.{name}.preflight" for name in ("train", "compare", "lr_find", "verify")
)


class OnceLoader(CheckedLoader):
    """Hydra's config loader for one run on a command line.

    Hydra composes twice: first to read ``hydra.mode``, leaving out what is missing and allowing
    sweeps, then for the run. Where the second way succeeds the first gives the same config, so
    that is tried at once, and kept for the run; so is the error where it fails.
    """

    _kept: tuple[str | None, list[str], DictConfig | Exception] | None = None

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
            if isinstance(kept[2], Exception):
                raise kept[2]
            return _in_run_mode(kept[2])
        asks_for_mode = run_mode == RunMode.MULTIRUN and not validate_sweep_overrides
        if asks_for_mode and (made := self._of_run(config_name, overrides)) is not None:
            self._kept = config_name, [*overrides, _RUN_MODE], made
            if isinstance(made, DictConfig):
                return made
        return super().load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )

    def _of_run(
        self, config_name: str | None, overrides: list[str]
    ) -> DictConfig | Exception | None:
        """Return the config of a run that does not say its mode, or why there is none.

        None where it says its mode.
        """
        try:
            config = super().load_configuration(config_name, overrides, RunMode.RUN)
        except Exception as error:
            return error
        return config if config.hydra.mode is None else None


@contextlib.contextmanager
def composing(once: bool) -> Iterator[None]:
    """Let Hydra's applications make an `OnceLoader` in the block, or else a `CheckedLoader`."""
    _check_files_read()
    module: Any = hydra._internal.hydra
    own = module.ConfigLoaderImpl
    module.ConfigLoaderImpl = OnceLoader if once else CheckedLoader
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


def _check_files_read() -> None:
    """Have every config file that Hydra reads in this process checked, save ours, read once."""
    Plugins.instance()  # it makes classes of its own of Hydra's modules, and registers those
    source: Any = SourcesRegistry.instance().types["file"]
    if hasattr(source, "unchecked_load_config"):
        return
    source.unchecked_load_config = source.load_config

    def load_config(self: Any, config_path: str) -> ConfigResult:
        path = Path(self.path, self._normalize_file_name(config_path))
        if not path.exists():
            return self.unchecked_load_config(config_path)
        if not path.is_relative_to(conf_dir()):
            check_file(path)
            return self.unchecked_load_config(config_path)
        # A sweep and a refusal compose several times, and parsing takes five times the copy.
        state = path.stat()
        key = path, state.st_mtime_ns, state.st_size
        if key not in _READ:
            _READ[key] = self.unchecked_load_config(config_path)
        return copy.deepcopy(_READ[key])

    source.load_config = load_config


_READ: dict[tuple[Path, int, int], ConfigResult] = {}
