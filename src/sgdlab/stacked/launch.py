"""Trains the runs of a sweep: in stacks where that works and is faster, else one by one."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import torch

from sgdlab import signals
from sgdlab.config.job import Job
from sgdlab.errors import one_line
from sgdlab.stacked import cost, measure, proof
from sgdlab.stacked.compiled.compiler import Compiler, compilers_of
from sgdlab.stacked.compiled.plan import plan
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.memory import budget, bytes_per_run, keep_freed_memory
from sgdlab.stacked.runner import StackRunner
from sgdlab.terminal.notices import warn
from sgdlab.training.pauses import timed
from sgdlab.training.surroundings import restored
from sgdlab.training.threads import on_threads

# Characters of a reason in the line that lists all.
_SHOWN = 94


def sort(jobs: Sequence[Job]) -> tuple[StackPlanner, list[Group], list[Job]]:
    """Return the groups of runs to stack, and the runs to train one by one.

    Says in one line which runs are trained one by one, and why.

    Args:
        jobs: All runs of a sweep, those that are finished, too: which engine trains a run must not
            depend on how often the sweep was interrupted.
    """
    with restored():
        return _sorted(jobs)


def _sorted(jobs: Sequence[Job]) -> tuple[StackPlanner, list[Group], list[Job]]:
    planner = StackPlanner()
    wanted = [job for job in jobs if job.config.engine != "sequential"]
    groups, others = planner.of(wanted)
    kept: list[Group] = []
    for group in groups:
        reason = _refusal(planner, group)
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


def _refusal(planner: StackPlanner, group: Group) -> str | None:
    reason = failure(group)
    if reason is None and group.config.engine == "auto" and plan(group) is None:
        reason = cost.refusal(group)
    reason = reason or proof.refusal(planner, group)
    if reason is None and group.config.engine == "auto" and cost.is_measured(group):
        reason = measure.refusal(planner, group)
    return reason and reason[:_SHOWN]


def failure(group: Group) -> str | None:
    """Return why a step of a group cannot be made; the ordinary trainer says so for each run."""
    try:
        bytes_per_run(group)
    except BaseException as error:
        if signals.is_real(error):
            raise
        return f"a step fails: {one_line(error)}"
    return None


def train_group(planner: StackPlanner, group: Group, jobs: Sequence[Job]) -> None:
    """Train runs of a group, in stacks that fit into memory, and write all their files.

    A stack that fails leaves its runs as ``failed``, with the reason; the others go on.
    """
    if not jobs:
        return
    keep_freed_memory()
    at_once = cost.side_by_side(group)
    with (
        restored(), signals.at_a_step(), _in_time(jobs), torch_state(group),
        compilers_of([group]) as (compiler,),
    ):  # fmt: skip
        runners = [
            StackRunner(planner, group, batch, compiler)
            for batch in split(group, list(jobs), at_once, compiler)
        ]
        advance = [functools.partial(runner.advance, group.total_steps) for runner in runners]
        side_by_side(advance, at_once)


def split(
    group: Group, jobs: list[Job], at_once: int = 1, compiler: Compiler | None = None
) -> list[list[Job]]:
    """Cut runs into as few stacks of about one size as memory and the cost model allow.

    Args:
        group: The group that the runs belong to.
        jobs: The runs.
        at_once: The number of stacks that train at once, each on a thread, given enough runs.
        compiler: What compiles their steps, for stacks of so many rows; None: nothing does.
    """
    device = group.data.train.x.device
    room = budget(group.config.stacked.max_memory, device) // at_once
    largest = cost.largest(group) if compiler is None else compiler.plan.width
    most = max(1, min(room // bytes_per_run(group), largest))
    count = max(-(-len(jobs) // most), min(at_once, len(jobs) // cost.WORTH_A_THREAD))
    if count > 1:
        count += -count % at_once  # or some threads would end before the others
    ends = [len(jobs) * index // count for index in range(count + 1)]
    return [jobs[a:b] for a, b in itertools.pairwise(ends) if b > a]


def _in_time(jobs: Sequence[Job]) -> contextlib.AbstractContextManager[None]:
    """Break off what hangs in a stack once all of its runs have used up their time."""
    limits = [job.config.limits.seconds for job in jobs]
    known = [seconds for seconds in limits if seconds is not None]
    return timed(sum(known) if len(known) == len(limits) else None, "a step of the stack")


@contextlib.contextmanager
def torch_state(group: Group) -> Iterator[None]:
    """Train without autograd and on the threads of a stack; give back what was before."""
    with on_threads(cost.threads_of(group)), torch.no_grad():
        yield


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
            signals.threads_end.set()  # nobody else can end the other threads
            for future in futures:
                future.cancel()
            raise
        finally:
            wait(futures)
            signals.threads_end.clear()
