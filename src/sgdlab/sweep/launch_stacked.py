"""What the launcher ``stacked`` does with the jobs of a sweep."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.job import Job
from sgdlab.config.resolve import resolve
from sgdlab.config.run_id import run_id
from sgdlab.errors import InputError
from sgdlab.results import read_summary
from sgdlab.stacked.launch import sort, train_group
from sgdlab.sweep.launchers import BasicLauncher
from sgdlab.sweep.preflight import check
from sgdlab.training.folder import finished


def launch(
    master: DictConfig,
    context: HydraContext,
    task: TaskFunction,
    overrides: Sequence[Sequence[str]],
    first: int,
) -> list[JobReturn]:
    """Train the jobs of a sweep, in stacks where that works; see `sgdlab.stacked.launch.sort`."""
    loader = context.config_loader
    if isinstance(loader, QuickLoader):
        own: list[Job] = [loader.job(master, job) for job in overrides]
        everything: Sequence[Job] = loader.listed or own
    else:
        everything = own = [
            _compose(master, context, job, first + number) for number, job in enumerate(overrides)
        ]
    # A sweeper may ask for a run twice, or for one that an earlier sweep has finished.
    asked = {job.run_id for job in own}
    _refuse_shared_folders(own)
    done = {
        job.run_id
        for job in own
        if finished(job.directory, job.run_id, job.config.resume) is not None
    }
    unique = {job.run_id: job for job in everything}
    planner, groups, _ = sort(list(unique.values()))
    returns: dict[int, JobReturn] = {}
    for group in groups:
        wanted = [job for job in group.jobs if job.run_id in asked]
        train_group(planner, group, [job for job in wanted if job.run_id not in done])
    stacked = {job.run_id for group in groups for job in group.jobs}
    for index, job in enumerate(own):
        if job.run_id in stacked:
            returns[index] = _returned(unique[job.run_id], overrides[index])
    rest = [index for index, job in enumerate(own) if job.run_id not in stacked]
    if rest:
        launcher = BasicLauncher()
        launcher.setup(hydra_context=context, task_function=task, config=master)
        chosen = [list(overrides[index]) for index in rest]
        returns |= zip(rest, launcher.launch(chosen, initial_job_idx=first), strict=True)
    return [returns[index] for index in range(len(own))]


def _refuse_shared_folders(jobs: Sequence[Job]) -> None:
    """Refuse two runs in one folder, where they would mix their rows.

    Raises:
        InputError: Names the folder.
    """
    holds: dict[Path, str] = {}
    for job in jobs:
        if holds.setdefault(job.directory, job.run_id) != job.run_id:
            raise InputError(
                f"{job.directory}: two runs of the sweep would write there; "
                "leave hydra.sweep.subdir, or put ${run_id:} into it"
            )


def _compose(
    master: DictConfig, context: HydraContext, overrides: Sequence[str], number: int
) -> Job:
    composed = context.config_loader.load_sweep_config(master, list(overrides))
    with read_write(composed.hydra), open_dict(composed.hydra):
        composed.hydra.job.num = number
        composed.hydra.job.id = f"{composed.hydra.job.get('name', 'job')}_{number}"
    config = resolve(composed)
    check(config)
    directory = Path(composed.hydra.sweep.dir) / composed.hydra.sweep.subdir
    return Job(config, run_id(config), directory, tuple(overrides))


def _returned(job: Job, overrides: Sequence[str]) -> JobReturn:
    returned = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
    returned.working_dir = str(job.directory)
    returned.return_value = read_summary(job.directory)
    return returned
