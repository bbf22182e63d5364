"""Hydra's launcher that trains the runs of a sweep at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn

from hydra_plugins.sgdlab_launcher import SweepLauncher


@dataclass
class StackedLauncherConfig:
    """The launcher has no settings of its own: see ``engine`` and ``stacked`` of a run."""

    _target_: str = "hydra_plugins.sgdlab_stacked.StackedLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="stacked", node=StackedLauncherConfig, provider="sgdlab"
)


class StackedLauncher(SweepLauncher):
    """Trains runs that differ in numbers only as one; the others one by one, in this process."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train the runs; return their summaries in the order of the overrides."""
        # Hydra imports every plugin at its start, so what is slow to import waits until here.
        from sgdlab.sweeps.launch_stacked import launch

        return launch(
            self.config, self.hydra_context, self.task_function, job_overrides, initial_job_idx
        )
