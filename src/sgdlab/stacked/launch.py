"""Trains the runs of a sweep: in stacks where that works and is faster, else one by one."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from sgdlab.errors import InputError
from sgdlab.experiment import finished
from sgdlab.identity import run_id
from sgdlab.notices import warn
from sgdlab.results import Cell, read_summary
from sgdlab.stacked import cost
from sgdlab.stacked.cohort import Cohort
from sgdlab.stacked.compiler import Compiler
from sgdlab.stacked.group import Group, Grouping
from sgdlab.stacked.member import Job
from sgdlab.stacked.memory import budget, bytes_per_run, keep_freed_memory


def sort(jobs: Sequence[Job]) -> tuple[Grouping, list[Group], list[Job]]:
    """Return the groups of runs to stack, and the runs to train one by one.

    Says in one line which runs are trained one by one, and why.

    Args:
        jobs: All runs of a sweep, those that are finished, too: which engine trains a run must not
            depend on how often the sweep was interrupted.
    """
    grouping = Grouping()
    wanted = [job for job in jobs if job.settled["engine"] != "sequential"]
    groups, others = grouping.of(wanted)
    kept: list[Group] = []
    for group in groups:
        reason = cost.refusal(group) if group.settled["engine"] == "auto" else None
        if reason is None:
            kept.append(group)
        else:
            others.setdefault(reason, []).extend(group.jobs)
    if others:
        count = sum(map(len, others.values()))
        reasons = ", ".join(f"{reason} ({len(own)})" for reason, own in others.items())
        warn(f"{count} of {len(jobs)} runs train one by one: {reasons}")
    stacked = {id(job) for group in kept for job in group.jobs}
    return grouping, kept, [job for job in jobs if id(job) not in stacked]


@dataclasses.dataclass(frozen=True)
class _Single:
    settled: dict[str, Any]
    run_id: str
    directory: Path


def train_alone(config: DictConfig, directory: Path) -> dict[str, Cell]:
    """Train one run as in a stack, and return its summary: to the last bit as among others.

    Raises:
        InputError: It cannot be stacked.
    """
    identity = run_id(config)
    if (done := finished(directory, identity, config.resume)) is not None:
        return done
    settled = cast("dict[str, Any]", OmegaConf.to_container(config))
    job = _Single(settled, identity, directory)
    grouping = Grouping()
    groups, others = grouping.of([job])
    if others:
        raise InputError(f"engine=stacked: {next(iter(others))}; set engine=sequential")
    train_group(grouping, groups[0], [job])
    summary = read_summary(directory)
    assert summary is not None
    return summary


def train_group(grouping: Grouping, group: Group, jobs: Sequence[Job]) -> None:
    """Train runs of a group, in stacks that fit into memory, and write all their files.

    A stack that fails leaves its runs as ``failed``, with the reason; the others go on.
    """
    if not jobs:
        return
    keep_freed_memory()
    compiler = Compiler(group.plan.batch_size, group.plan.accumulate)
    with torch_state(group.settled["threads"]):
        for batch in split(group, list(jobs)):
            Cohort(grouping, group, batch, compiler).advance(group.total_steps)


def split(group: Group, jobs: list[Job]) -> Iterator[list[Job]]:
    """Cut runs into as few stacks of about one size as memory and the cost model allow."""
    device = group.data.train.x.device
    fit = budget(group.settled["stacked"]["max_memory"], device) // bytes_per_run(group)
    most = max(1, min(fit, cost.best_size(group)))
    count = -(-len(jobs) // most)
    for index in range(count):
        yield jobs[index * len(jobs) // count : (index + 1) * len(jobs) // count]


@contextlib.contextmanager
def torch_state(threads: int | None) -> Iterator[None]:
    """Train without autograd and on some threads; give back what was before."""
    before = torch.get_num_threads()
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(before)
