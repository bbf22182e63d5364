"""What the launcher ``stacked`` does with the jobs of a sweep."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sgdlab.config.job import Job
from sgdlab.results.holders import Holder
from sgdlab.results.lock import HeldError, each_held
from sgdlab.stacked.launch import sort, train_group
from sgdlab.sweeps.jobs import refuse_shared_folders
from sgdlab.sweeps.launchers import BasicLauncher, returned
from sgdlab.sweeps.listed import listed
from sgdlab.terminal.progress import sort_runs
from sgdlab.training.folder import finished

_KINDS = ("one by one", "stacked")


def launch(
    master: DictConfig,
    context: HydraContext,
    task: TaskFunction,
    overrides: Sequence[Sequence[str]],
    first: int,
) -> list[JobReturn]:
    """Train the jobs of a sweep, in stacks where that works; see `sgdlab.stacked.launch.sort`."""
    own, everything = listed(master, context, overrides, first)
    # A sweeper may ask for a run twice, or for one that an earlier sweep has finished.
    asked = {job.run_id for job in own}
    refuse_shared_folders(own)
    unique = {job.run_id: job for job in everything}
    planner, groups, _ = sort(list(unique.values()))
    stacked = {job.run_id for group in groups for job in group.jobs}
    sort_runs({job.directory: _KINDS[job.run_id in stacked] for job in everything})
    returns: dict[int, JobReturn] = {}
    elsewhere: dict[str, Holder] = {}
    for group in groups:
        wanted = [job for job in group.jobs if job.run_id in asked]
        with each_held([job.directory for job in wanted]) as others:
            elsewhere |= {job.run_id: others[d] for job in wanted if (d := job.directory) in others}
            free = [job for job in wanted if job.run_id not in elsewhere]
            train_group(planner, group, [job for job in free if not _is_finished(job)])
    for index, job in enumerate(own):
        if job.run_id in stacked:
            own_job, holder = unique[job.run_id], elsewhere.get(job.run_id)
            held = holder and HeldError(f"{own_job.directory}: held by {holder}")
            returns[index] = returned(own_job, overrides[index], held)
    rest = [index for index, job in enumerate(own) if job.run_id not in stacked]
    if rest:
        launcher = BasicLauncher()
        launcher.setup(hydra_context=context, task_function=task, config=master)
        chosen = [list(overrides[index]) for index in rest]
        returns |= zip(rest, launcher.launch(chosen, initial_job_idx=first), strict=True)
    return [returns[index] for index in range(len(own))]


def _is_finished(job: Job) -> bool:
    return finished(job.directory, job.config, job.run_id) is not None
