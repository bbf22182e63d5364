"""What launchers need of Hydra and has no public name there."""

from collections.abc import Sequence

# The launcher that trains one by one what cannot be stacked, and the callbacks of a command that
# launches jobs without Hydra's sweeper.
from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_launcher import BasicLauncher as BasicLauncher
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from hydra.types import TaskFunction as Task
from omegaconf import DictConfig

from sgdlab.config.job import Job
from sgdlab.results import read_summary

__all__ = ["BasicLauncher", "Task", "context_of", "no_callbacks", "returned"]


def context_of(master: DictConfig) -> HydraContext:
    """Return what Hydra hands to launchers, for the application that is running."""
    loader = GlobalHydra.instance().config_loader()
    return HydraContext(config_loader=loader, callbacks=Callbacks(master))


def no_callbacks() -> Callbacks:
    """Return callbacks for what is no run: those of the user are told of runs."""
    return Callbacks()


def returned(job: Job, overrides: Sequence[str], error: BaseException | None) -> JobReturn:
    """Return what Hydra expects of a job: the summary of its run, or the error that it ended by."""
    found = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
    found.working_dir = str(job.directory)
    if error is None:
        found.return_value = read_summary(job.directory)
    else:
        found.status, found.return_value = JobStatus.FAILED, error
    return found
