"""Hydra's launcher on a Ray cluster: a task for each job."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn

from hydra_plugins.sgdlab_launcher import SweepLauncher


class RayLauncher(SweepLauncher):
    """Runs each job as a task of Ray, which starts it again where a worker or a node dies.

    It needs the package ``ray`` alone, and no other plugin of Hydra's: that one asks for packages
    of a cloud and for an old cloudpickle, and raises what the first failed job has raised, while
    the others are lost.

    Args:
        settings: ``address``, ``num_cpus``, ``gpus``, ``max_retries`` and ``init``, see
            ``conf/hydra/launcher/ray.yaml``.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs; one whose task failed for good has the exception as its value."""
        # Hydra imports every plugin at its start, so what is slow to import waits until here.
        from sgdlab.sweeps.ray_tasks import launch

        return launch(
            self.settings, self.config, self.hydra_context, self.task_function,
            job_overrides, initial_job_idx,
        )  # fmt: skip
