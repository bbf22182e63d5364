"""What the launcher ``stacked`` does with the jobs of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from sgdlab.config import settle
from sgdlab.identity import run_id
from sgdlab.loader import QuickLoader
from sgdlab.preflight import check
from sgdlab.results import read_summary
from sgdlab.stacked.launch import sort, train_group
from sgdlab.stacked.member import Job


@dataclass(frozen=True)
class _Composed:
    """A job of a sweeper that is not sgdlab's."""

    settled: dict[str, Any]
    run_id: str
    directory: Path


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
        everything = own = [_compose(master, context, job) for job in overrides]
    grouping, groups, alone = sort(everything)
    index_of = {job.run_id: index for index, job in enumerate(own)}
    returns: dict[int, JobReturn] = {}
    for group in groups:
        todo = [job for job in group.jobs if job.run_id in index_of]
        train_group(grouping, group, todo)
        for job in todo:
            index = index_of[job.run_id]
            returns[index] = _returned(job, overrides[index])
    rest = [index_of[job.run_id] for job in alone if job.run_id in index_of]
    if rest:
        launcher = BasicLauncher()
        launcher.setup(hydra_context=context, task_function=task, config=master)
        chosen = [list(overrides[index]) for index in rest]
        returns |= zip(rest, launcher.launch(chosen, initial_job_idx=first), strict=True)
    return [returns[index] for index in range(len(own))]


def _compose(master: DictConfig, context: HydraContext, overrides: Sequence[str]) -> _Composed:
    composed = context.config_loader.load_sweep_config(master, list(overrides))
    config = settle(composed)
    check(config)
    settled = cast("dict[str, Any]", OmegaConf.to_container(config))
    directory = Path(composed.hydra.sweep.dir) / composed.hydra.sweep.subdir
    return _Composed(settled, run_id(config), directory)


def _returned(job: Job, overrides: Sequence[str]) -> JobReturn:
    returned = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
    returned.working_dir = str(job.directory)
    returned.return_value = read_summary(job.directory)
    return returned
