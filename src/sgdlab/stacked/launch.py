"""Trains the runs of a sweep: in stacks where that works and is faster, else one by one."""

import contextlib
import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from sgdlab.config.run_id import run_id
from sgdlab.errors import InputError, one_line
from sgdlab.results import Cell, read_summary
from sgdlab.stacked import cost, side_by_side
from sgdlab.stacked.compiler import Compiler
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.memory import budget, bytes_per_run, keep_freed_memory
from sgdlab.stacked.run import Job, PlainJob
from sgdlab.stacked.runner import StackRunner
from sgdlab.terminal.notices import warn
from sgdlab.training.run import finished

# Characters of a reason in the line that lists all.
_SHOWN = 94


def sort(jobs: Sequence[Job]) -> tuple[StackPlanner, list[Group], list[Job]]:
    """Return the groups of runs to stack, and the runs to train one by one.

    Says in one line which runs are trained one by one, and why.

    Args:
        jobs: All runs of a sweep, those that are finished, too: which engine trains a run must not
            depend on how often the sweep was interrupted.
    """
    planner = StackPlanner()
    wanted = [job for job in jobs if job.settled["engine"] != "sequential"]
    groups, others = planner.of(wanted)
    kept: list[Group] = []
    for group in groups:
        reason = _refusal(group)
        if reason is None:
            kept.append(group)
        else:
            others.setdefault(reason, []).extend(group.jobs)
    if others:
        count = sum(map(len, others.values()))
        reasons = ", ".join(f"{reason} ({len(own)})" for reason, own in others.items())
        warn(f"{count} of {len(jobs)} runs train one by one: {reasons}")
    stacked = {id(job) for group in kept for job in group.jobs}
    return planner, kept, [job for job in jobs if id(job) not in stacked]


def _refusal(group: Group) -> str | None:
    if reason := _failure(group):
        return reason[:_SHOWN]
    return cost.refusal(group) if group.settled["engine"] == "auto" else None


def _failure(group: Group) -> str | None:
    """Return why a step of a group cannot be made; the ordinary trainer says so for each run."""
    try:
        bytes_per_run(group)
    except Exception as error:
        return f"a step fails: {one_line(error)}"
    return None


def check_alone(config: DictConfig) -> None:
    """Refuse a run that cannot be stacked, before it has left any file.

    Raises:
        InputError: Says why.
    """
    _group_of(PlainJob(_container(config), "", Path()))


def _container(config: DictConfig) -> dict[str, Any]:
    return cast("dict[str, Any]", OmegaConf.to_container(config))


def _group_of(job: Job) -> tuple[StackPlanner, Group]:
    planner = StackPlanner()
    groups, others = planner.of([job])
    reason = next(iter(others), None) or _failure(groups[0])
    if reason is not None:
        raise InputError(f"engine=stacked: {reason}; set engine=sequential")
    return planner, groups[0]


def train_alone(config: DictConfig, directory: Path) -> dict[str, Cell]:
    """Train one run as in a stack, and return its summary: to the last bit as among others.

    Raises:
        InputError: It cannot be stacked.
    """
    identity = run_id(config)
    if (done := finished(directory, identity, config.resume)) is not None:
        return done
    job = PlainJob(_container(config), identity, directory)
    planner, group = _group_of(job)
    train_group(planner, group, [job])
    summary = read_summary(directory)
    assert summary is not None
    return summary


def train_group(planner: StackPlanner, group: Group, jobs: Sequence[Job]) -> None:
    """Train runs of a group, in stacks that fit into memory, and write all their files.

    A stack that fails leaves its runs as ``failed``, with the reason; the others go on.
    """
    if not jobs:
        return
    keep_freed_memory()
    compiler = Compiler(group.plan.batch_size, group.plan.accumulate)
    at_once = cost.side_by_side(group)
    with torch_state(group):
        runners = [
            StackRunner(planner, group, batch, compiler)
            for batch in split(group, list(jobs), at_once)
        ]
        advance = [functools.partial(runner.advance, group.total_steps) for runner in runners]
        side_by_side.run(advance, at_once)


def split(group: Group, jobs: list[Job], side_by_side: int = 1) -> list[list[Job]]:
    """Cut runs into as few stacks of about one size as memory and the cost model allow.

    Args:
        group: Of the runs.
        jobs: The runs.
        side_by_side: Stacks that train at once, each on a thread, where there are runs enough.
    """
    device = group.data.train.x.device
    room = budget(group.settled["stacked"]["max_memory"], device) // side_by_side
    most = max(1, min(room // bytes_per_run(group), cost.largest(group)))
    count = max(-(-len(jobs) // most), min(side_by_side, len(jobs) // cost.WORTH_A_THREAD))
    if count > 1:
        count += -count % side_by_side  # or some threads would end before the others
    ends = [len(jobs) * index // count for index in range(count + 1)]
    return [jobs[a:b] for a, b in itertools.pairwise(ends) if b > a]


@contextlib.contextmanager
def torch_state(group: Group) -> Iterator[None]:
    """Train without autograd and on the threads of a stack; give back what was before."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(cost.threads_of(group))
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(before)
