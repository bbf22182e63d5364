"""Successive halving on workers: each has all trials of a search, which race each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.types import HydraContext
from omegaconf import DictConfig

from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.job import Job
from sgdlab.results.lock import HeldError, each_held
from sgdlab.search.halving import Halving
from sgdlab.signals import handled
from sgdlab.stacked.halving import HalvingPlan, plan, search_of, train
from sgdlab.sweeps.chunks import Ended
from sgdlab.sweeps.gather import put, taken
from sgdlab.sweeps.hand_out import hand_out, has_ended
from sgdlab.sweeps.jobs import said
from sgdlab.sweeps.pool import pool_of


@dataclass(frozen=True)
class HalvingChunk:
    """The trials of one search, of which some are still to be trained.

    Attributes:
        master: The config of the comparison.
        loader: Composes its runs.
        overrides: The overrides of each trial, the finished ones, too.
        todo: The numbers of those that are to be trained.
        done: The files of the finished ones, by number, for a worker without the study's folder.
        halving: How trials are thinned out.
        select_by: What ranks them.
        most: The trials of the largest search.
        sizes: The number of runs of the group that each trial belongs to.
    """

    master: DictConfig
    loader: QuickLoader
    overrides: tuple[tuple[str, ...], ...]
    todo: tuple[int, ...]
    done: Mapping[int, bytes]
    halving: Halving
    select_by: str
    most: int
    sizes: tuple[int, ...]

    def __call__(self, folder: Path | None) -> list[Ended]:
        """Train the trials from rung to rung; return what came of each that was to be trained."""
        loader = self.loader if folder is None else self.loader.into(folder)
        jobs = [loader.job(self.master, overrides) for overrides in self.overrides]
        own = [jobs[number] for number in self.todo]
        with handled(), each_held([job.directory for job in jobs]) as others:
            if others:  # trials that race each other are trained in one place
                directory, holder = next(iter(others.items()))
                error = HeldError(f"{directory}: held by {holder}")
                return [Ended(error) for _ in own]
            if folder is not None:
                for number, files in self.done.items():
                    put(jobs[number].directory, files)
            planned = plan(jobs, self.halving, self.select_by, self.most)
            size_of = {job.run_id: size for job, size in zip(jobs, self.sizes, strict=True)}
            for group in planned.groups:
                group.part_of = size_of[group.jobs[0].run_id]
            train(planned, [job for job in own if not has_ended(job)])
        return [Ended(None, None if folder is None else taken(job.directory)) for job in own]


def train_on_workers(
    planned: HalvingPlan, todo: Sequence[Job], master: DictConfig, context: HydraContext
) -> list[str | None]:
    """Train trials on the workers of the configured launcher; return what went wrong with each.

    Args:
        planned: All trials.
        todo: Those that are not finished.
        master: The config of the comparison.
        context: What Hydra hands to launchers; its loader composes the trials.
    """
    loader = context.config_loader
    assert isinstance(loader, QuickLoader)
    pool = pool_of(master, context)
    sizes = {job.run_id: group.size for group in planned.groups for job in group.jobs}
    searches: dict[object, list[Job]] = {}
    for group in planned.groups:
        for job in group.jobs:
            searches.setdefault(search_of(job), []).append(job)

    def pieces(left: Mapping[int, Job]) -> list[tuple[Sequence[int], HalvingChunk]]:
        number_of = {job.run_id: number for number, job in left.items()}
        found: list[tuple[Sequence[int], HalvingChunk]] = []
        for trials in searches.values():
            own = [n for n, job in enumerate(trials) if job.run_id in number_of]
            if not own:
                continue
            done = {n: taken(job.directory) for n, job in enumerate(trials) if n not in own}
            chunk = HalvingChunk(
                master, loader, tuple(job.overrides for job in trials), tuple(own), done,
                planned.halving, planned.select_by, planned.trials,
                tuple(sizes[job.run_id] for job in trials),
            )  # fmt: skip
            found.append(([number_of[trials[n].run_id] for n in own], chunk))
        return found

    errors = hand_out(pool, todo, pieces)
    return [said(errors.get(number)) for number in range(len(todo))]
