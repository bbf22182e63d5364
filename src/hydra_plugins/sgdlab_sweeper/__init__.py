"""Hydra's sweeper for sgdlab, the default: composes quickly, resumes, ranks."""

from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sgdlab.errors import InputError


@dataclass
class SgdlabSweeperConfig:
    """Settings of the sweeper."""

    _target_: str = "hydra_plugins.sgdlab_sweeper.SgdlabSweeper"
    # Overrides to sweep over, for config files: the same as on the command line.
    params: dict[str, str] | None = field(default_factory=dict[str, str])


ConfigStore.instance().store(
    group="hydra/sweeper", name="sgdlab", node=SgdlabSweeperConfig, provider="sgdlab"
)


class SgdlabSweeper(BasicSweeper):
    """Runs every combination of the values given, on whatever launcher is configured.

    Unlike Hydra's basic sweeper it composes once per combination of group choices, refuses bad
    input before the first run, skips finished runs, and goes on past failed ones.
    """

    def __init__(self, params: dict[str, str] | None = None) -> None:
        super().__init__(max_batch_size=None, params=params)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what is needed to launch; the launcher itself is made when the jobs are known."""
        self.hydra_context = hydra_context
        self.config = config
        self._task_function = task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep that the command line and ``hydra.sweeper.params`` describe."""
        # Hydra imports every plugin at its start, so what is slow to import waits until here.
        from sgdlab.sweeps.run import sweep

        assert self.hydra_context is not None
        assert self.config is not None
        return sweep(self.config, self.hydra_context, self._task_function, self.jobs(arguments))

    def jobs(self, arguments: list[str]) -> Any:
        """Return the overrides of every combination of the values given."""
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        (jobs,) = self.split_arguments(overrides, max_batch_size=None)
        if not jobs:
            swept = [o for o in overrides if o.is_sweep_override()]
            empty = next(o for o in swept if not list(o.sweep_string_iterator()))
            raise InputError(f"{empty.input_line}: matches nothing, so there is no run to make")
        return jobs
