"""Hydra's launcher that hands chunks of runs to the workers of another launcher."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn

from hydra_plugins.sgdlab_launcher import SweepLauncher


class WorkersLauncher(SweepLauncher):
    """Trains a sweep by the workers of another launcher, each with a stack of runs at once.

    Args:
        through: The dotted path of the launcher that starts the workers.
        settings: ``workers``, ``runs``, ``gpus`` and ``devices``, see ``conf/hydra/launcher``; all
            others are those of the launcher that starts the workers.
    """

    def __init__(self, through: str, **settings: Any) -> None:
        self.through, self.settings = through, settings

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train the runs; return their summaries in the order of the overrides."""
        # Hydra imports every plugin at its start, so what is slow to import waits until here.
        from sgdlab.sweeps.launch_workers import launch
        from sgdlab.sweeps.pool import Pool

        pool = Pool(self.through, self.settings, self.config, self.hydra_context)
        return launch(pool, self.task_function, job_overrides, initial_job_idx)
