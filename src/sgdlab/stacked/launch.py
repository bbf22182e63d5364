"""Trains the runs of a sweep: in stacks where that works and is faster, else one by one."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import torch

from sgdlab.config.job import Job
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError, one_line
from sgdlab.results import Cell, read_summary
from sgdlab.stacked import cost
from sgdlab.stacked.compiler import Compiler
from sgdlab.stacked.fit import interrupted
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.memory import budget, bytes_per_run, keep_freed_memory
from sgdlab.stacked.runner import StackRunner
from sgdlab.terminal.notices import warn

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
    wanted = [job for job in jobs if job.config.engine != "sequential"]
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
    return cost.refusal(group) if group.config.engine == "auto" else None


def _failure(group: Group) -> str | None:
    """Return why a step of a group cannot be made; the ordinary trainer says so for each run."""
    try:
        bytes_per_run(group)
    except Exception as error:
        return f"a step fails: {one_line(error)}"
    return None


def stack_of_one(config: RunConfig) -> tuple[StackPlanner, Group]:
    """Return what trains a single run as in a stack, to the last bit as among others.

    Raises:
        InputError: The run cannot be stacked; says why.
    """
    planner = StackPlanner()
    groups, others = planner.of([Job(config, "", Path())])
    reason = next(iter(others), None) or _failure(groups[0])
    if reason is not None:
        raise InputError(f"engine=stacked: {reason}; set engine=sequential")
    return planner, groups[0]


def train_alone(stack: tuple[StackPlanner, Group], run_id: str, directory: Path) -> dict[str, Cell]:
    """Train the run of `stack_of_one`, which is not finished; return its summary."""
    planner, group = stack
    train_group(planner, group, [Job(group.config, run_id, directory)])
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
        side_by_side(advance, at_once)


def split(group: Group, jobs: list[Job], at_once: int = 1) -> list[list[Job]]:
    """Cut runs into as few stacks of about one size as memory and the cost model allow.

    Args:
        group: The group that the runs belong to.
        jobs: The runs.
        at_once: The number of stacks that train at once, each on a thread, given enough runs.
    """
    device = group.data.train.x.device
    room = budget(group.config.stacked.max_memory, device) // at_once
    most = max(1, min(room // bytes_per_run(group), cost.largest(group)))
    count = max(-(-len(jobs) // most), min(at_once, len(jobs) // cost.WORTH_A_THREAD))
    if count > 1:
        count += -count % at_once  # or some threads would end before the others
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


def side_by_side(tasks: Sequence[Callable[[], None]], at_once: int) -> None:
    """Run tasks without autograd, and return when all have ended.

    What one raises, Ctrl-C included, ends the others at their next block of steps.

    Args:
        tasks: The tasks, of which none waits for another.
        at_once: The number of threads; with one, tasks run in turn in this thread.
    """
    if min(at_once, len(tasks)) <= 1:
        with torch.no_grad():
            for task in tasks:
                task()
        return
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(torch.no_grad()(task)) for task in tasks]
        try:
            for future in futures:
                future.result()
        except BaseException:
            interrupted.set()  # nobody else can end the other threads
            for future in futures:
                future.cancel()
            raise
        finally:
            wait(futures)
            interrupted.clear()
