"""A sweep cut into chunks of runs that go to workers: a stack each, or single runs."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sgdlab.config.compose.loader import QuickLoader
from sgdlab.errors import InputError
from sgdlab.results.lock import HeldError, each_held
from sgdlab.signals import handled
from sgdlab.stacked.group import StackPlanner
from sgdlab.stacked.launch import train_group
from sgdlab.stacked.measure import Measured
from sgdlab.sweeps.gather import taken
from sgdlab.sweeps.launchers import BasicLauncher
from sgdlab.sweeps.listed import listed
from sgdlab.training.folder import finished

SMALLEST_STACK = 4
"""Runs of the smallest stack that is cut off for a worker of its own: below, a step of a stack
costs nearly the same for one run less."""

MOST_CHUNKS_PER_WORKER = 16
"""Chunks of single runs for each worker at most: what starting a chunk costs stays small, and none
waits long for the last one."""


@dataclass(frozen=True)
class Ended:
    """What a worker says of one run.

    Attributes:
        error: What went wrong, where something did: the run has no summary then.
        files: The files of the run, where the worker does not share the study's folder.
    """

    error: BaseException | None
    files: bytes | None = None


@dataclass(frozen=True)
class Chunk:
    """Runs that one worker trains.

    Attributes:
        master: The config of the sweep.
        context: What Hydra hands to launchers, here the loader of the jobs.
        task: Trains one run.
        overrides: The overrides of each run.
        first: The number of the first run.
        stacked: The runs of the whole stack that these are cut from, and what its steps were
            measured to cost; None: they train one by one.
    """

    master: DictConfig
    context: HydraContext
    task: TaskFunction
    overrides: tuple[tuple[str, ...], ...]
    first: int
    stacked: tuple[int, Measured | None] | None

    def __call__(self, folder: Path | None) -> list[Ended]:
        """Train the runs, in the study's folder or in another one; return what came of each."""
        context = self.context
        if folder is not None:
            loader = context.config_loader
            if not isinstance(loader, QuickLoader):
                raise InputError(
                    "the worker does not see the study's folder: that needs sgdlab's own sweeper "
                    "(the default), or a folder that all machines share"
                )
            context = HydraContext(config_loader=loader.into(folder), callbacks=context.callbacks)
        with handled():  # told to stop, a worker stops after the step
            if self.stacked is None:
                errors = self._one_by_one(context)
            else:
                errors = self._at_once(context, *self.stacked)
        if folder is None:
            return [Ended(error) for error in errors]
        own, _ = listed(self.master, context, self.overrides, self.first)
        return [
            Ended(error, None if error else taken(job.directory))
            for job, error in zip(own, errors, strict=True)
        ]

    def _one_by_one(self, context: HydraContext) -> list[BaseException | None]:
        launcher = BasicLauncher()
        launcher.setup(hydra_context=context, task_function=self.task, config=self.master)
        returns = launcher.launch([list(own) for own in self.overrides], self.first)
        values: list[Any] = [returned._return_value for returned in returns]
        return [value if isinstance(value, BaseException) else None for value in values]

    def _at_once(
        self, context: HydraContext, runs: int, measured: Measured | None
    ) -> list[BaseException | None]:
        own, _ = listed(self.master, context, self.overrides, self.first)
        planner = StackPlanner()
        groups, others = planner.of(own)
        if others:  # another device or version than where the stack was planned
            raise InputError(f"no stack on this machine: {next(iter(others))}")
        errors: dict[str, BaseException] = {}
        for group in groups:
            group.part_of, group.measured = runs, measured
            jobs = own if len(groups) == 1 else group.jobs
            with each_held([job.directory for job in jobs]) as held:
                errors |= {
                    job.run_id: HeldError(f"{job.directory}: held by {held[job.directory]}")
                    for job in jobs
                    if job.directory in held
                }
                free = [job for job in jobs if job.run_id not in errors]
                todo = [
                    job for job in free if finished(job.directory, job.config, job.run_id) is None
                ]
                train_group(planner, group, todo)
        return [errors.get(job.run_id) for job in own]


def cut(count: int, workers: int, most: int | None, smallest: int = 1) -> list[slice]:
    """Cut runs into chunks of nearly one size.

    Args:
        count: The number of runs.
        workers: How many chunks there may be.
        most: Runs of a chunk at most; None: as few chunks as `workers` says.
        smallest: Runs of a chunk at least, where there are as many.
    """
    chunks = max(1, min(workers, count // smallest))
    if most is not None:
        chunks = max(chunks, -(-count // most))
    ends = [count * number // chunks for number in range(chunks + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(ends) if b > a]


def single(overrides: Sequence[Any], workers: int, most: int | None) -> list[slice]:
    """Cut runs that train one by one: one each, or a few where there are very many."""
    return cut(len(overrides), workers * MOST_CHUNKS_PER_WORKER, most)
